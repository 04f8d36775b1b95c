// Starts the embedded platform as a user does, in a temporary data folder and on free ports.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCellctl } from './cellctl.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
/** On a busy machine the user index may be slow, and mail of friends would be filed as that of strangers at first. */
const PATIENT = { CELLPOST_USER_INDEX_TIMEOUT_MS: '5000' };

/** By which users and mail come in. */
export type Doors = { webUrl: string; smtpPort: number };

export type PlatformUnderTest = Doors & {
  home: string;
  /** The launcher's process. */
  process: ChildProcess;
  /** All that it printed. */
  output: string[];
  /** Runs `cellctl ARGS --json` against it. */
  cellctl<T>(...args: string[]): Promise<T>;
  /** Ctrl-C; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** kill -9 of the launcher; its children end by themselves. */
  kill(): Promise<void>;
  /** Stops it and removes the data folder. */
  [Symbol.asyncDispose](): Promise<void>;
};

/** A new data folder, or one that an earlier platform left. */
export async function startPlatform(env: NodeJS.ProcessEnv = {}): Promise<PlatformUnderTest> {
  const home = env.CELLPOST_HOME ?? (await mkdtemp(join(tmpdir(), 'cellpost-')));
  const child = spawn(process.execPath, [join(ROOT, 'cli/cellpost.ts'), 'embedded'], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...PATIENT,
      CELLPOST_SMTP_PORT: '0',
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_CONSOLE_PORT: '0',
      ...env,
      CELLPOST_HOME: home,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const exited = once(child, 'exit');
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`not ready in ${START_DEADLINE_MS} ms:\n${output.join('\n')}`));
    }, START_DEADLINE_MS);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        if (line !== 'Cellpost is ready') return;
        clearTimeout(timer);
        resolve();
      });
    }
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code ?? signal}:\n${output.join('\n')}`));
    });
  });
  try {
    await ready;
  } catch (error) {
    if (!env.CELLPOST_HOME) await rm(home, { recursive: true, force: true });
    throw error;
  }
  const find = (pattern: RegExp): string => pattern.exec(output.join('\n'))?.[1] ?? '';
  const stop = async (): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await exited;
    clearTimeout(timer);
    return child.exitCode;
  };
  return {
    home,
    webUrl: find(/Inbox page\s+(http:\S+?)\/$/m),
    smtpPort: Number(find(/SMTP\s+\S+:(\d+)$/m)),
    process: child,
    output,
    cellctl: (...args) => runCellctl(args, { CELLPOST_HOME: home }),
    stop,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
