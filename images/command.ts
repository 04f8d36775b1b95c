// Runs programs and says what went wrong in their own words.
import { spawn } from 'node:child_process';

/** How much of a failed program's output goes into the error. */
const TOLD_BYTES = 4000;
const DEFAULT_TIMEOUT_MS = 600_000;

class CommandFailed extends Error {
  override name = 'CommandFailed';
  readonly output: string;
  constructor(message: string, output: string) {
    super(output ? `${message}\n${output}` : message);
    this.output = output;
  }
}

export type CommandOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string;
  timeoutMs?: number;
};

/**
 * What the program prints to its standard output.
 * @throws CommandFailed with the end of what it printed to standard error
 */
export async function command(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // Not spawn's own timeout: that one goes on when there is no such program.
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const out: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-TOLD_BYTES)));
  // A program may end without reading its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return await new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new CommandFailed(`${program}: ${error.message}`, ''));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const text = Buffer.concat(out).toString();
      if (code === 0) return resolve(text);
      const how =
        signal === 'SIGKILL' ? `was ended after at most ${timeoutMs} ms` : `failed (${code ?? signal})`;
      reject(
        new CommandFailed(
          `${program} ${args.slice(0, 3).join(' ')} ${how}`,
          errors.trim() || text.slice(-TOLD_BYTES),
        ),
      );
    });
  });
}

/** True when the program is there and this call of it ends well. */
export async function works(program: string, args: readonly string[]): Promise<boolean> {
  return await command(program, args, { timeoutMs: 20_000 }).then(
    () => true,
    () => false,
  );
}
