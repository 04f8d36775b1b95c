// Commands by verb.
import type { SmtpSession } from '../session.ts';
import { bdat } from './bdat.ts';
import { data } from './data.ts';
import { hello } from './hello.ts';
import { mail } from './mail.ts';
import { rcpt } from './rcpt.ts';

type Command = <R>(session: SmtpSession<R>, args: string, verb: string) => void | Promise<void>;

const COMMANDS: Record<string, Command> = {
  HELO: hello,
  EHLO: hello,
  LHLO: hello,
  MAIL: mail,
  RCPT: rcpt,
  DATA: data,
  BDAT: bdat,
  RSET: async (session) => {
    await session.resetTransaction();
    session.reply(250, 'Forgotten', '2.0.0');
  },
  NOOP: (session) => session.reply(250, 'Nothing done', '2.0.0'),
  HELP: (session) => session.reply(214, 'See RFC 5321', '2.0.0'),
  // RFC 5321 section 3.5.3: no word about who is there.
  VRFY: (session, args) =>
    args.trim()
      ? session.reply(252, 'Send some mail, and see', '2.0.0')
      : session.reply(501, 'VRFY wants an address', '5.5.4'),
  EXPN: (session) => session.reply(502, 'Lists are not told', '5.5.1'),
  QUIT: (session) => {
    session.reply(221, `${session.options.hostname} closes the connection`, '2.0.0');
    session.end();
  },
};

/** @param line undefined for one that was too long */
export async function runCommand<R>(session: SmtpSession<R>, line: string | undefined): Promise<void> {
  if (line === undefined) {
    session.reply(500, 'The line is too long', '5.5.2');
    return;
  }
  const space = line.search(/\s/);
  const verb = (space === -1 ? line : line.slice(0, space)).toUpperCase();
  const args = space === -1 ? '' : line.slice(space + 1);
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined;
  if (!command || isOthersGreeting(verb, session.options.lmtp)) {
    session.reply(500, 'That is no command here', '5.5.1');
    session.options.onCommand('unknown');
    return;
  }
  session.options.onCommand(verb);
  await command(session, args, verb);
}

/** LMTP greets by LHLO alone, SMTP never (RFC 2033 section 4.1). */
function isOthersGreeting(verb: string, lmtp: boolean): boolean {
  return lmtp ? verb === 'HELO' || verb === 'EHLO' : verb === 'LHLO';
}
