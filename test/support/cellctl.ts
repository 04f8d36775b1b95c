// Runs cellctl as a person would, and reads its JSON.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CELLCTL = fileURLToPath(new URL('../../cli/cellctl.ts', import.meta.url));
const DEADLINE_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** @throws with what it wrote on standard error when it fails */
export async function runCellctl<T>(args: string[], env: NodeJS.ProcessEnv, input?: string): Promise<T> {
  return JSON.parse(await cellctlOutput([...args, '--json'], env, input)) as T;
}

/** The same without `--json`: what it wrote on standard output. */
export async function cellctlOutput(args: string[], env: NodeJS.ProcessEnv, input?: string): Promise<string> {
  const running = promisify(execFile)(process.execPath, [CELLCTL, ...args], {
    env: { ...process.env, ...env },
    timeout: DEADLINE_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  running.child.stdin?.end(input ?? '');
  return (await running).stdout;
}

/** The same as a process that a test may kill; what it writes is dropped. */
export function spawnCellctl(args: string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, [CELLCTL, ...args], { env: { ...process.env, ...env }, stdio: 'ignore' });
}
