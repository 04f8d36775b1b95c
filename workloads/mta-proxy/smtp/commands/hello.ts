import type { SmtpSession } from '../session.ts';

/** HELO, EHLO (RFC 5321 section 4.1.1.1), LHLO (RFC 2033): also ends a transaction. */
export async function hello<R>(session: SmtpSession<R>, args: string, verb: string): Promise<void> {
  const name = args.trim();
  // A name, or an address literal: what would disturb a Received header is refused.
  if (!/^[\w.:[\]-]{1,255}$/.test(name)) {
    session.reply(501, `${verb} wants a host name or an address literal`, '5.5.4');
    return;
  }
  await session.resetTransaction();
  session.client.name = name;
  const { hostname, limits, lmtp } = session.options;
  session.client.protocol = lmtp ? 'LMTP' : verb === 'HELO' ? 'SMTP' : 'ESMTP';
  if (verb === 'HELO') {
    session.reply(250, hostname);
    return;
  }
  session.reply(250, [
    hostname,
    'PIPELINING',
    `SIZE ${limits.maxMessageBytes}`,
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'CHUNKING',
  ]);
}
