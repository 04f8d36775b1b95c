// One client's session: greeting, commands, replies. The state is plain; what each command does is in commands/.
import type { Socket } from 'node:net';
import { Goodbye, goodbyeOf } from './goodbye.ts';
import { InputEnded, InputTimeout, SocketInput } from './input.ts';
import { LINGER_MS, MAX_COMMAND_BYTES, type SmtpLimits } from './limits.ts';
import type { Client, MailSink, MessageWriter, Recipient, Refusal, Transaction } from './sink.ts';

export type SessionOptions<R> = {
  hostname: string;
  lmtp: boolean;
  limits: SmtpLimits;
  sink: MailSink<R>;
  newId: () => string;
  onCommand: (verb: string) => void;
};

/** What MAIL began. */
export type OpenTransaction<R> = Transaction & {
  recipients: Recipient<R>[];
  /** Recipients asked for, the refused ones too. */
  asked: number;
  /** While BDAT chunks come; undefined before the first. */
  writer: MessageWriter | undefined;
  bytes: number;
  /** Why the rest is thrown away; told at the end. */
  doomed: Refusal | undefined;
};

export class SmtpSession<R> {
  readonly options: SessionOptions<R>;
  readonly input: SocketInput;
  readonly #socket: Socket;
  readonly client: Client;
  transaction: OpenTransaction<R> | undefined;
  transactions = 0;
  errors = 0;
  #closing = false;
  #ended = false;
  #replies = '';
  /** A reply is being waited for by the client: an end now would leave it in doubt. */
  busy = false;

  constructor(socket: Socket, options: SessionOptions<R>) {
    this.#socket = socket;
    this.options = options;
    this.input = new SocketInput(socket);
    this.client = {
      address: socket.remoteAddress ?? 'unknown',
      name: '',
      protocol: options.lmtp ? 'LMTP' : 'SMTP',
    };
  }

  get greeted(): boolean {
    return this.client.name !== '';
  }

  /** @param command what a line does; undefined stands for a line that was too long */
  async run(command: (session: SmtpSession<R>, line: string | undefined) => Promise<void>): Promise<void> {
    const { limits, hostname, lmtp } = this.options;
    const endMs = performance.now() + limits.sessionTimeoutMs;
    try {
      this.reply(220, `${hostname} ${lmtp ? 'LMTP' : 'ESMTP'} Cellpost`);
      while (!this.#ended) {
        await this.flush();
        if (this.#closing) throw new Goodbye('4.3.2', 'Shutting down');
        const line = await this.input.line(MAX_COMMAND_BYTES, limits.commandTimeoutMs);
        this.busy = true;
        await command(this, line);
        this.busy = false;
        if (!this.transaction && performance.now() > endMs)
          throw new Goodbye('4.7.0', 'Enough for one session');
        if (this.errors >= limits.maxErrors) throw new Goodbye('4.7.0', 'Too many errors');
      }
      await this.flush(true);
    } catch (error) {
      await this.#farewell(error);
    } finally {
      const cut = setTimeout(() => this.#socket.destroy(), LINGER_MS);
      this.#socket.once('close', () => clearTimeout(cut));
      this.#socket.end();
      await this.resetTransaction();
      this.#socket.destroySoon();
    }
  }

  /** Ends the session at the next command, or when its transaction is through. */
  close(): void {
    this.#closing = true;
    if (!this.busy) this.input.abort();
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  end(): void {
    this.#ended = true;
  }

  /** A reply of one line (RFC 5321 section 4.2), or of several. `status` is the enhanced code (RFC 2034). */
  reply(code: number, text: string | string[], status = ''): void {
    const lines = typeof text === 'string' ? [text] : text;
    const prefix = status ? `${status} ` : '';
    for (const [index, line] of lines.entries()) {
      this.#replies += `${code}${index === lines.length - 1 ? ' ' : '-'}${prefix}${line}\r\n`;
    }
    if (code >= 500) this.errors++;
  }

  refuse({ code, status, text }: Refusal): void {
    this.reply(code, text, status);
  }

  /** Sends what has been replied; replies to pipelined commands go out together (RFC 2920). */
  async flush(force = false): Promise<void> {
    if (!this.#replies || (!force && this.input.hasBuffered && this.#replies.length < 16_384)) return;
    const replies = this.#replies;
    this.#replies = '';
    if (this.#socket.destroyed) throw new InputEnded('the connection has ended');
    if (this.#socket.write(replies)) return;
    // The client doesn't read its replies: it shall, before it is given more.
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => done(new InputTimeout('replies are not read')),
        this.options.limits.dataTimeoutMs,
      );
      const onDrain = (): void => done();
      const onClose = (): void => done(new InputEnded('the connection has ended'));
      const done = (error?: Error): void => {
        clearTimeout(timer);
        this.#socket.off('drain', onDrain);
        this.#socket.off('close', onClose);
        if (error) reject(error);
        else resolve();
      };
      this.#socket.once('drain', onDrain);
      this.#socket.once('close', onClose);
    });
  }

  async resetTransaction(): Promise<void> {
    const writer = this.transaction?.writer;
    this.transaction = undefined;
    await writer?.abort();
  }

  async #farewell(error: unknown): Promise<void> {
    const goodbye = goodbyeOf(error, this.#closing);
    if (!goodbye) return;
    this.reply(
      goodbye.code,
      `${this.options.hostname} ${goodbye.message}, closing the connection`,
      goodbye.status,
    );
    try {
      await this.flush(true);
    } catch {
      // It does not listen any more.
    }
    if (!(error instanceof Goodbye) && !(error instanceof InputTimeout) && !(error instanceof InputEnded))
      throw error;
  }
}
