import { Goodbye } from '../goodbye.ts';
import type { SmtpSession } from '../session.ts';
import { isAddress, parsePath } from './paths.ts';

const BODIES = new Set(['7BIT', '8BITMIME']);

/** MAIL FROM (RFC 5321 section 4.1.1.2; SIZE RFC 1870; BODY RFC 6152; SMTPUTF8 RFC 6531). */
export function mail<R>(session: SmtpSession<R>, args: string): void {
  const { limits, newId } = session.options;
  if (!session.greeted) return session.reply(503, 'Say EHLO first', '5.5.1');
  if (session.transaction) return session.reply(503, 'A message is under way already', '5.5.1');
  if (session.transactions >= limits.maxTransactions) {
    throw new Goodbye('4.7.0', 'Enough for one session');
  }
  const path = parsePath(args, 'FROM');
  if (!path) return session.reply(501, 'MAIL wants FROM:<address>', '5.5.4');
  if (path.address !== '' && !isAddress(path.address)) {
    return session.reply(501, 'That is no sender address', '5.1.7');
  }
  for (const [key, value] of path.parameters) {
    if (key === 'SIZE') {
      if (!/^\d{1,20}$/.test(value)) return session.reply(501, 'SIZE wants a number', '5.5.4');
      if (Number(value) > limits.maxMessageBytes) {
        return session.reply(552, `The limit is ${limits.maxMessageBytes} octets`, '5.3.4');
      }
    } else if (key === 'BODY') {
      if (!BODIES.has(value.toUpperCase())) return session.reply(501, 'BODY is 7BIT or 8BITMIME', '5.5.4');
    } else if (key !== 'SMTPUTF8' || value !== '') {
      return session.reply(555, `${key} is not known here`, '5.5.4');
    }
  }
  session.transactions++;
  session.transaction = {
    id: newId(),
    client: { ...session.client },
    mailFrom: path.address,
    recipients: [],
    asked: 0,
    writer: undefined,
    bytes: 0,
    doomed: undefined,
  };
  session.reply(250, 'Go on', '2.1.0');
}
