// `npm start`: the whole platform in one process tree on this machine.
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningService } from '../cli/run-service.ts';
import { ConfigError, type Environment } from '../workloads/common/config/env.ts';
import { consoleLink } from '../workloads/common/http/console-key.ts';
import { DEMO_PASSWORD, DEMO_USERS, makeDemoFriends, makeDemoUsers } from './demo-users.ts';
import { Home, type PlatformNote } from './home.ts';
import { startPlatform, type Platform } from './platform.ts';
import { readSettings } from './settings.ts';

/** Longer than this and something is wrong: the cells' nodes did not come to serve. */
const READY_DEADLINE_MS = 30_000;

export async function start(env: Environment): Promise<RunningService> {
  const settings = readSettings(env);
  const home = new Home(settings.home);
  let platform: Platform | undefined;
  try {
    platform = await startPlatform(settings, home, (line) => process.stderr.write(`${line}\n`));
    await Promise.race([
      makeDemo(platform, home.token, AbortSignal.timeout(READY_DEADLINE_MS)),
      delay(READY_DEADLINE_MS, undefined, { ref: false }).then(() => {
        throw new ConfigError(
          `The cells did not come to serve in ${READY_DEADLINE_MS / 1000} s: see ${home.path}/logs`,
        );
      }),
    ]);
    home.writeNote(platform.note);
  } catch (error) {
    await platform?.close();
    home.close();
    throw error;
  }
  const { note } = platform;
  process.stdout.write(table(note, consoleLink(note.consoleUrl, home.token), settings.home));
  const running = platform;
  return {
    url: note.webUrl,
    ports: { smtp: note.smtp.port },
    async close() {
      await running.close();
      home.close();
    },
  };
}

async function makeDemo({ cells, note }: Platform, token: string, signal: AbortSignal): Promise<void> {
  const { ids, isNew } = await makeDemoUsers(cells);
  if (isNew) await makeDemoFriends(ids, { url: note.userIndexUrl, token }, signal);
}

function table({ webUrl, smtp }: PlatformNote, consoleUrl: string, home: string): string {
  const [first = ''] = DEMO_USERS;
  const rows = [
    ['Inbox page', `${webUrl}/`],
    ['JMAP session', `${webUrl}/.well-known/jmap`],
    ['Console', consoleUrl],
    ['SMTP', `${smtp.host}:${smtp.port}`],
    ['Users', `${DEMO_USERS.join(', ')} (password ${DEMO_PASSWORD})`],
    [
      'First mail',
      `curl -s --crlf --mail-from you@example.org --mail-rcpt ${first} -T README.md smtp://${smtp.host}:${smtp.port}`,
    ],
    ['', 'arrives in Other, as a stranger’s; from bob@cellpost.test, a friend of hers, it arrives in Inbox'],
    ['Nodes', 'npx cellctl nodes'],
    ['Data', home],
    ['Stop', 'Ctrl-C'],
  ];
  return `\n${rows.map(([name = '', value = '']) => `  ${name.padEnd(14)}${value}`).join('\n')}\n\nCellpost is ready\n`;
}
