// What DATA and BDAT share: bytes into the sink within the limit, one answer at the end (LMTP: one a recipient).
import { Goodbye } from '../goodbye.ts';
import type { SmtpLimits } from '../limits.ts';
import type { OpenTransaction, SmtpSession } from '../session.ts';
import type { Refusal } from '../sink.ts';

export const BARE_LINE_BREAK: Refusal = {
  code: 550,
  status: '5.6.0',
  text: 'Lines end in CRLF; a bare CR or LF is refused',
};

/** Gives a piece of the message to the sink, or dooms the message; the rest is then thrown away as it comes. */
export async function takeBytes<R>(session: SmtpSession<R>, bytes: Uint8Array): Promise<void> {
  const transaction = session.transaction;
  if (!transaction) return;
  transaction.bytes += bytes.length;
  const { maxMessageBytes } = session.options.limits;
  if (transaction.bytes > maxMessageBytes) {
    await doom(transaction, { code: 552, status: '5.3.4', text: `The limit is ${maxMessageBytes} octets` });
  }
  if (transaction.doomed) return;
  transaction.writer ??= session.options.sink.message(transaction, transaction.recipients);
  await transaction.writer.write(bytes);
}

/** Nobody throws away that much: the client is told, and cut off. */
export function farTooLarge({ maxMessageBytes }: SmtpLimits): Goodbye {
  return new Goodbye('5.3.4', `The limit is ${maxMessageBytes} octets`, 552);
}

export async function doom<R>(transaction: OpenTransaction<R>, refusal: Refusal): Promise<void> {
  if (transaction.doomed) return;
  transaction.doomed = refusal;
  await transaction.writer?.abort();
}

/** The message is complete: delivers it, answers, and ends the transaction. */
export async function finish<R>(session: SmtpSession<R>): Promise<void> {
  const transaction = session.transaction;
  if (!transaction) return;
  const { lmtp, sink } = session.options;
  const { doomed, recipients, id } = transaction;
  let verdicts: (true | Refusal)[];
  if (doomed) verdicts = recipients.map(() => doomed);
  else {
    transaction.writer ??= sink.message(transaction, recipients);
    verdicts = await transaction.writer.deliver();
  }
  await session.resetTransaction();
  for (const verdict of lmtp ? verdicts : [together(verdicts)]) {
    if (verdict === true) session.reply(250, `Stored as ${id}`, '2.0.0');
    else session.refuse(verdict);
  }
}

/**
 * SMTP has one answer for all, and 250 means that each copy is stored. If one may still be stored later the client shall
 * send again: those stored already are told apart by their delivery key. If one never will be the sender must hear of it.
 */
function together(verdicts: (true | Refusal)[]): true | Refusal {
  const refusals = verdicts.filter((verdict) => verdict !== true);
  return refusals.find((refusal) => refusal.code < 500) ?? refusals[0] ?? true;
}
