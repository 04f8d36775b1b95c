// What the SMTP engine needs of whoever takes the mail. The engine knows no storage.

/** A refusal: reply code, enhanced status code (RFC 3463), text. */
export type Refusal = { code: number; status: string; text: string };

export type Client = {
  /** As the socket says. */
  address: string;
  /** As the client says in HELO, EHLO or LHLO. */
  name: string;
  protocol: 'SMTP' | 'ESMTP' | 'LMTP';
};

export type Transaction = {
  /** Follows the message through the logs. */
  id: string;
  client: Client;
  /** '' for the null reverse-path. */
  mailFrom: string;
};

export type Recipient<R> = {
  /** As the client wrote it. */
  address: string;
  /** What the sink knows it by. */
  known: R;
};

export interface MessageWriter {
  /** Takes the next bytes of the message, without transparency dots; resolves when more may come. */
  write(chunk: Uint8Array): Promise<void>;
  /** Delivers; resolves when each recipient's copy is durable or refused: true or a refusal, in the recipients' order. */
  deliver(): Promise<(true | Refusal)[]>;
  /** Forgets the message. May be called at any time. */
  abort(): Promise<void>;
}

export interface MailSink<R> {
  /** Says whether mail for this address is taken. */
  recipient(address: string, transaction: Transaction): Promise<{ known: R } | { refusal: Refusal }>;
  message(transaction: Transaction, recipients: readonly Recipient<R>[]): MessageWriter;
}
