import { DotDecoder } from '../content.ts';
import { InputTimeout } from '../input.ts';
import { MAX_SWALLOWED_FACTOR } from '../limits.ts';
import type { SmtpSession } from '../session.ts';
import { BARE_LINE_BREAK, doom, farTooLarge, finish, takeBytes } from './message.ts';

const CHUNK_BYTES = 64 * 1024;

/** DATA (RFC 5321 section 4.1.1.4). */
export async function data<R>(session: SmtpSession<R>, args: string): Promise<void> {
  const { transaction } = session;
  const { limits } = session.options;
  if (args.trim()) return session.reply(501, 'DATA takes nothing', '5.5.4');
  if (!transaction) return session.reply(503, 'Say MAIL first', '5.5.1');
  if (transaction.writer) return session.reply(503, 'BDAT has begun', '5.5.1');
  if (transaction.recipients.length === 0) return session.reply(554, 'No valid recipients', '5.5.1');
  session.reply(354, 'End with a dot on a line of its own');
  await session.flush(true);
  const decoder = new DotDecoder();
  const deadline = performance.now() + limits.messageTimeoutMs;
  while (!decoder.ended) {
    if (performance.now() > deadline) throw new InputTimeout('the message took too long');
    const chunk = await session.input.chunk(CHUNK_BYTES, limits.dataTimeoutMs);
    for (const piece of decoder.push(chunk)) await takeBytes(session, piece);
    if (decoder.ended) session.input.unread(chunk.subarray(decoder.consumed));
    if (decoder.check.bare) await doom(transaction, BARE_LINE_BREAK);
    if (transaction.bytes > limits.maxMessageBytes * MAX_SWALLOWED_FACTOR) throw farTooLarge(limits);
  }
  await finish(session);
}
