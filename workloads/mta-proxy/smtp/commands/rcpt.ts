import type { SmtpSession } from '../session.ts';
import { isAddress, parsePath } from './paths.ts';

/** RCPT TO (RFC 5321 section 4.1.1.3). */
export async function rcpt<R>(session: SmtpSession<R>, args: string): Promise<void> {
  const { transaction } = session;
  const { limits, sink } = session.options;
  if (!transaction) return session.reply(503, 'Say MAIL first', '5.5.1');
  if (transaction.writer) return session.reply(503, 'The message has begun', '5.5.1');
  const path = parsePath(args, 'TO');
  if (!path) return session.reply(501, 'RCPT wants TO:<address>', '5.5.4');
  if (path.parameters.size > 0) {
    return session.reply(555, `${[...path.parameters.keys()].join(', ')}: not known here`, '5.5.4');
  }
  if (!isAddress(path.address)) return session.reply(501, 'That is no recipient address', '5.1.3');
  // Refused ones count, too: a session is no way to try all names.
  if (++transaction.asked > limits.maxRecipients) {
    return session.reply(452, `At most ${limits.maxRecipients} recipients a message`, '4.5.3');
  }
  const verdict = await sink.recipient(path.address, transaction);
  if ('refusal' in verdict) return session.refuse(verdict.refusal);
  transaction.recipients.push({ address: path.address, known: verdict.known });
  session.reply(250, 'Taken', '2.1.5');
}
