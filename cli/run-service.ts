// Runs one long-lived service: signals, exit codes and, below the embedded launcher, its parent's messages.
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, type Environment } from '../workloads/common/config/env.ts';
import { startTracing } from '../workloads/common/tracing.ts';

export type RunningService = {
  url: string;
  /** Ports by door ('smtp', 'lmtp', …), where there are others than the URL's. */
  ports?: Record<string, number>;
  close(): Promise<void>;
};

export type Service = { start(env: Environment): Promise<RunningService> };

/** What the launcher says to a child, once: start with this environment. The child has loaded its code by then. */
export type ParentMessage = { start: Environment };
/** What a child answers, once. */
export type ChildMessage =
  { ready: true; url: string; ports: Record<string, number> } | { ready: false; problem: string };

/** A service that has not closed by then is ended: a supervisor's own limit is commonly 30 s. */
const CLOSE_DEADLINE_MS = 25_000;

export async function runService(name: string, load: () => Promise<Service>): Promise<void> {
  const service = await load();
  const env = process.send ? await environmentFromParent() : process.env;
  // What is about the process as a whole it has from its own environment, also below a launcher.
  const tracing = await startTracing(name, { ...process.env, ...env });
  let running: RunningService;
  try {
    running = await service.start(env);
  } catch (error) {
    const problem = problemOf(error);
    process.send?.({ ready: false, problem } satisfies ChildMessage);
    process.stderr.write(`${name}: ${problem}\n`);
    if (!(error instanceof ConfigError) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  }
  process.send?.({ ready: true, url: running.url, ports: running.ports ?? {} } satisfies ChildMessage);

  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    const ended = running
      .close()
      .finally(() => tracing.close())
      .then(
        () => 0,
        (error: unknown) => {
          process.stderr.write(`${name}: ${problemOf(error)}\n`);
          return 1;
        },
      );
    const late = delay(CLOSE_DEADLINE_MS, 1, { ref: false });
    void Promise.race([ended, late]).then((code) => process.exit(code));
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
  // The launcher is gone: whatever was acknowledged is durable, and nobody supervises this process any more.
  process.on('disconnect', () => process.exit(1));
}

function environmentFromParent(): Promise<Environment> {
  return new Promise((resolve) => {
    process.once('disconnect', () => process.exit(1));
    process.once('message', (message: ParentMessage) => resolve(message.start));
  });
}

function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `Port ${error.port} is in use.`;
  }
  return error.message;
}
