import { LineBreakCheck } from '../content.ts';
import { Goodbye } from '../goodbye.ts';
import { InputTimeout } from '../input.ts';
import { MAX_SWALLOWED_FACTOR } from '../limits.ts';
import type { SmtpSession } from '../session.ts';
import type { Transaction } from '../sink.ts';
import { BARE_LINE_BREAK, doom, farTooLarge, finish, takeBytes } from './message.ts';

const CHUNK_BYTES = 64 * 1024;

const checks = new WeakMap<Transaction, LineBreakCheck>();

/** BDAT (RFC 3030). Every chunk's bytes are read before it is answered, also when it is refused. */
export async function bdat<R>(session: SmtpSession<R>, args: string): Promise<void> {
  const { limits } = session.options;
  const match = /^\s*(\d{1,12})(?:\s+(LAST))?\s*$/i.exec(args);
  // Without a size nobody knows where the next command begins.
  if (!match) throw new Goodbye('5.5.4', 'BDAT wants a size', 501);
  const size = Number(match[1]);
  const last = match[2] !== undefined;
  const { transaction } = session;
  if ((transaction?.bytes ?? 0) + size > limits.maxMessageBytes * MAX_SWALLOWED_FACTOR)
    throw farTooLarge(limits);
  const usable = transaction && transaction.recipients.length > 0 ? transaction : undefined;
  const check = usable ? (checks.get(usable) ?? new LineBreakCheck()) : undefined;
  if (usable && check) checks.set(usable, check);
  const deadline = performance.now() + limits.messageTimeoutMs;
  for (let left = size; left > 0;) {
    if (performance.now() > deadline) throw new InputTimeout('the chunk took too long');
    const chunk = await session.input.chunk(Math.min(left, CHUNK_BYTES), limits.dataTimeoutMs);
    left -= chunk.length;
    if (!usable || !check) continue;
    check.push(chunk);
    if (check.bare) await doom(usable, BARE_LINE_BREAK);
    await takeBytes(session, chunk);
  }
  if (!transaction) return session.reply(503, 'Say MAIL first', '5.5.1');
  if (!usable) return session.reply(554, 'No valid recipients', '5.5.1');
  if (last) return finish(session);
  // From now on DATA and RCPT are out of place, even if nothing has come.
  usable.writer ??= session.options.sink.message(usable, usable.recipients);
  session.reply(250, `${size} octets taken`, '2.0.0');
}
