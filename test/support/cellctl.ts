// Runs cellctl as a person would, and reads its JSON.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CELLCTL = fileURLToPath(new URL('../../cli/cellctl.ts', import.meta.url));
const DEADLINE_MS = 30_000;

/** @throws with what it wrote on standard error when it fails */
export async function runCellctl<T>(args: string[], env: NodeJS.ProcessEnv): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [CELLCTL, ...args, '--json'], {
    env: { ...process.env, ...env },
    timeout: DEADLINE_MS,
  });
  return JSON.parse(stdout) as T;
}
