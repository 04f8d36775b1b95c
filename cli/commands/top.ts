import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { request } from 'undici';
import { ConfigError } from '../../workloads/common/config/env.ts';
import { consoleLink } from '../../workloads/common/http/console-key.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import type { LoadView } from '../../workloads/console/load-view.ts';
import { findConsole } from '../connect.ts';
import { printJson } from '../output.ts';
import { FIRST_COLUMN, topText } from '../top-text.ts';

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
async function readLoad(
  { url, token }: { url: string; token: string },
  signal?: AbortSignal,
): Promise<LoadView> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const { statusCode, body } = await request(`${url}/v1/load`, {
    headers: { authorization: bearer(token) },
    signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
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
  let text = 'Looking …';
  const draw = (): void =>
    void process.stdout.write(screen(text, process.stdout.columns, process.stdout.rows));
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
  process.stdout.on('resize', draw);
  try {
    draw();
    let pauseMs = 2_000;
    while (!ended.signal.aborted) {
      text = await readLoad(target, ended.signal).then(
        (view) => {
          pauseMs = view.intervalSeconds * 1_000;
          return topText(view);
        },
        (error: unknown) => {
          if (error instanceof ConfigError) throw error;
          return `${error instanceof Error ? error.message : String(error)}\n`;
        },
      );
      if (ended.signal.aborted) break;
      draw();
      await delay(pauseMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  } finally {
    process.stdout.off('resize', draw);
    process.stdout.write(LEAVE);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
      process.stdin.off('data', onKey);
      process.stdin.pause();
    }
  }
}

/** Written over what is there, so that nothing flickers: sentences wrapped, tables cut at the edges. */
function screen(text: string, columns: number, rows: number): string {
  const all = text.trimEnd().split('\n');
  const tables = all.findIndex((line) => line.startsWith(FIRST_COLUMN));
  const lines = all
    .flatMap((line, index) => (tables < 0 || index < tables ? wrapped(line, columns) : [line]))
    .slice(0, Math.max(1, rows - 1));
  return HOME + lines.map((line) => `${line.slice(0, columns)}${CLEAR_LINE}\r\n`).join('') + CLEAR_BELOW;
}

/** Broken between words, where there are some. */
function wrapped(line: string, columns: number): string[] {
  if (line.length <= columns) return [line];
  const space = line.lastIndexOf(' ', columns);
  const end = space > 0 ? space : columns;
  return [line.slice(0, end), ...wrapped(line.slice(end).trimStart(), columns)];
}
