// An index in a process of its own, and one that asks it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../../embedded/child.ts';
import { startCoordinator } from '../../../embedded/coordinator.ts';
import { until } from '../../support/wait.ts';
import type { AskerResult, AskerWork } from '../user-index-asker.ts';

const RATE = 5_000;
const WARM_MS = 3_000;
const DURATION_MS = 8_000;
const TOKEN = 'a token for benchmarks';
const ASKER = fileURLToPath(new URL('../user-index-asker.ts', import.meta.url));

/** Asks by a process that does nothing else. */
export async function asked(whom: AskerWork['whom'], port: number, users: number): Promise<AskerResult> {
  // Helpers of its garbage collector would take the processor from who is measured.
  const asker = fork(ASKER, { execArgv: ['--single-threaded-gc'] });
  const work: AskerWork = {
    whom,
    port,
    token: TOKEN,
    users,
    ratePerSecond: RATE,
    warmMs: WARM_MS,
    durationMs: DURATION_MS,
  };
  asker.send(work);
  const [result] = (await Promise.race([
    once(asker, 'message'),
    once(asker, 'exit').then(() => Promise.reject(new Error('The asker ended.'))),
  ])) as [AskerResult];
  return result;
}

/** Starts an index of what the blob store has, in a platform without cells: there are no logs to be read. */
export async function startIndex(
  folder: string,
  blobUrl: string,
): Promise<{ url: string; pid: number; startSeconds: number; stop(): Promise<void> }> {
  await using resources = new AsyncDisposableStack();
  const coordinator = await startCoordinator({
    socketPath: join(folder, 'coordinator.sock'),
    dataFile: join(folder, 'coordinator.db'),
  });
  resources.defer(() => coordinator.close());
  const child = (workload: string): Child => {
    const logFile = join(folder, `${workload}.log`);
    const onDeath = (line: string): boolean => process.stderr.write(`${line}\n`);
    const made = new Child({ name: workload, workload, logFile, onDeath });
    resources.defer(() => made.stop());
    return made;
  };
  const common = {
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_LOG_LEVEL: 'error',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_SESSION_TIMEOUT_MS: '10000',
  };
  const discovery = await child('discovery').start({
    ...common,
    CELLPOST_COORDINATION: coordinator.url('/discovery'),
  });
  const began = performance.now();
  const index = child('user-index');
  const { url } = await index.start({
    ...common,
    CELLPOST_DISCOVERY_URL: discovery.url,
    CELLPOST_BLOB_STORE: blobUrl,
  });
  await until(async () => (await fetch(`${url}/readyz`)).status === 200, {
    timeoutMs: 120_000,
    what: 'the index',
  });
  const startSeconds = (performance.now() - began) / 1_000;
  const open = resources.move();
  return { url, pid: index.pid ?? 0, startSeconds, stop: () => open.disposeAsync() };
}
