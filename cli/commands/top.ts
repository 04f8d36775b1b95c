import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { request } from 'undici';
import { ConfigError } from '../../workloads/common/config/env.ts';
import { consoleLink } from '../../workloads/common/http/console-key.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import type { LoadView } from '../../workloads/console/load-view.ts';
import { findConsole } from '../connect.ts';
import { printJson } from '../output.ts';
import { topText } from '../top-text.ts';

const DEADLINE_MS = 10_000;
/** The alternate screen, without a cursor, and back: what was on the terminal before is there again. */
const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

type Options = { once?: boolean; json?: boolean; link?: boolean };

/** `cellctl top`: how the platform fares, live. */
export function topCommand(): Command {
  return new Command('top')
    .description('shows what is busy, slow or away: cells, app servers, stages, users; live on a terminal')
    .option('--once', 'prints it once')
    .option('--json', 'prints it once as JSON: what GET /v1/load of the console answers')
    .option('--link', 'prints a link that opens the console in a browser')
    .action(async (options: Options) => {
      const target = findConsole();
      if (options.link) {
        process.stdout.write(`${consoleLink(target.url, target.token)}\n`);
        return;
      }
      if (options.json) printJson(await readLoad(target));
      else if (options.once || !process.stdout.isTTY) process.stdout.write(topText(await readLoad(target)));
      else await showLive(target);
    });
}

/** @throws ConfigError, or what says why there is no answer */
async function readLoad({ url, token }: { url: string; token: string }): Promise<LoadView> {
  const { statusCode, body } = await request(`${url}/v1/load`, {
    headers: { authorization: bearer(token) },
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).catch((error: unknown) => {
    throw new Error(`The console does not answer at ${url}.`, { cause: error });
  });
  const text = await body.text();
  if (statusCode === 401) throw new ConfigError(`The console at ${url} belongs to another platform.`);
  if (statusCode !== 200) throw new Error(`The console answers HTTP ${statusCode}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as LoadView;
}

/** Until Ctrl-C or q. */
async function showLive(target: { url: string; token: string }): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  const onKey = (key: Buffer): void => {
    // In raw mode Ctrl-C is a key.
    if (key.includes('q') || key.includes(0x03)) end();
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  if (process.stdin.isTTY) {
    process.stdin.setRawMode(true);
    process.stdin.on('data', onKey);
  }
  process.stdout.write(ENTER);
  try {
    let pauseMs = 2_000;
    while (!ended.signal.aborted) {
      const text = await readLoad(target).then(
        (view) => {
          pauseMs = view.intervalSeconds * 1_000;
          return topText(view);
        },
        (error: unknown) => {
          if (error instanceof ConfigError) throw error;
          return `${error instanceof Error ? error.message : String(error)}\n`;
        },
      );
      process.stdout.write(screen(text, process.stdout.columns, process.stdout.rows));
      await delay(pauseMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  } finally {
    process.stdout.write(LEAVE);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
      process.stdin.off('data', onKey);
      process.stdin.pause();
    }
  }
}

/** Written over what is there, so that nothing flickers; cut at the edges. */
function screen(text: string, columns: number, rows: number): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(0, Math.max(1, rows - 1));
  return HOME + lines.map((line) => `${line.slice(0, columns)}${CLEAR_LINE}\r\n`).join('') + CLEAR_BELOW;
}
