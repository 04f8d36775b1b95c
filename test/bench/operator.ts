// npm run bench:operator [-- --cells=1000]: how fast the operator brings cells up, beside the time that the API server needs
// to take the same objects from the same client without one; then what an operator does that starts beside cells that are
// as they should be. The API server and its controllers are real; pods run by word of kwok.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { childrenOf } from '../../operator/resources/testing.ts';
import type { KubeApi } from '../../operator/runtime/api.ts';
import { OperatorMetrics } from '../../operator/runtime/metrics.ts';
import { keyOf, TYPES, type KubeObject } from '../../operator/runtime/resources.ts';
import { WatchCache } from '../../operator/runtime/watch-cache.ts';
import type { Cell, Platform } from '../../operator/types.ts';
import type { StatefulSetObject } from '../../operator/world.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { Registry } from 'prom-client';
import { standInForDiscovery } from '../support/discovery-stand-in.ts';
import { until } from '../support/wait.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { NAMESPACE, startFleet, type Fleet } from './support/operator-fleet.ts';
import { readMetrics, quantileOf, type Metrics } from './support/prometheus.ts';
import { cpuSeconds } from './support/processes.ts';
import { table } from './support/table.ts';

const SIZES = /^--cells=(?<cells>\d+)$/m.exec(process.argv.join('\n'))?.groups?.cells?.split(',').map(Number) ?? [
  10, 100,
];
/** Objects that are written at once; the operator has as many workers. */
const IN_FLIGHT = 8;
/** For each cell, and at least: machines are slow and busy. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_CELL_MS = 2_000;
/** How long nothing may be written before the fleet counts as steady, and how long it is watched then. */
const STEADY_MS = 5_000;
const WATCHED_MS = 15_000;

const logger = createLogger('bench', 'silent');

async function sample<T>(name: string): Promise<T> {
  return parse(await readFile(`charts/cellpost/samples/${name}.yaml`, 'utf8')) as T;
}

/** The smallest cells: what the operator makes of them is as many objects as of larger ones, with fewer pods. */
async function makeCells(admin: KubeApi, count: number): Promise<Cell[]> {
  const cell = await sample<Cell>('cell-b');
  const numbers = Array.from({ length: count }, (_, n) => n);
  return await inParallel(numbers, IN_FLIGHT, (n) =>
    admin.create<Cell>({ ...cell, metadata: { name: `c${n}`, namespace: NAMESPACE } }),
  );
}

/** Watches one type for as long as the work takes. */
async function watching<T extends KubeObject, R>(
  { admin }: Fleet,
  type: WatchCache<T>['type'],
  work: (cache: WatchCache<T>) => Promise<R>,
): Promise<R> {
  const metrics = new OperatorMetrics(new Registry());
  const cache = new WatchCache<T>({ api: admin, type, logger, metrics });
  try {
    return await work(cache);
  } finally {
    await cache.close();
  }
}

/** Resolves when so many sets have all their pods, with the seconds since `began`. */
const allReady = (sets: WatchCache<StatefulSetObject>, count: number, cells: number): Promise<unknown> =>
  until(
    () => {
      const ready = sets
        .list()
        .filter(({ spec, status }) => status?.readyReplicas !== undefined && status.readyReplicas === spec.replicas);
      return ready.length >= count;
    },
    { timeoutMs: patienceMs(cells), what: `${count} StatefulSets to be ready`, intervalMs: 100 },
  );

const patienceMs = (cells: number): number => PATIENCE_MS + cells * PATIENCE_PER_CELL_MS;
const secondsSince = (began: number): number => (performance.now() - began) / 1_000;

type Alone = { objects: number; sets: number; appliedSeconds: number; readySeconds: number };

/** The same objects, one cell after another, as fast as the same client can write them. */
async function withoutOperator(count: number): Promise<Alone> {
  const fleet = await startFleet();
  try {
    return await watching<StatefulSetObject, Alone>(fleet, TYPES.statefulSet, async (sets) => {
      const platform = await sample<Platform>('platform');
      platform.spec.images = { pullPolicy: 'IfNotPresent' };
      const began = performance.now();
      const cells = await makeCells(fleet.admin, count);
      const objects = cells.flatMap((cell) => childrenOf(cell, platform));
      await inParallel(objects, IN_FLIGHT, (object) => fleet.api.apply(object));
      const appliedSeconds = secondsSince(began);
      const made = objects.filter(({ kind }) => kind === 'StatefulSet').length;
      await allReady(sets, made, count);
      return { objects: objects.length, sets: made, appliedSeconds, readySeconds: secondsSince(began) };
    });
  } finally {
    await fleet.close();
  }
}

type Operator = { pid: number; metrics(): Promise<Metrics>; stop(): Promise<void> };

async function startOperator(fleet: Fleet, discovery: string): Promise<Operator> {
  const child: ChildProcess = fork(fileURLToPath(new URL('operator-process.ts', import.meta.url)), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: {
      ...process.env,
      KUBECONFIG: fleet.kubeconfig,
      BENCH_DISCOVERY: discovery,
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_LOG_LEVEL: process.env.CELLPOST_LOG_LEVEL ?? 'silent',
      CELLPOST_OPERATOR_NAMESPACE: NAMESPACE,
      CELLPOST_IMAGE: 'registry.test/cellpost:1.0',
      CELLPOST_HBASE_IMAGE: 'registry.test/hbase:1.0',
    },
  });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  const { pid } = child;
  if (pid === undefined) throw new Error('The operator did not start.');
  return {
    pid,
    metrics: () => readMetrics(`${url}/metrics`),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

type Looked = {
  seconds: number;
  reconciles: number;
  p99Seconds: number;
  requests: Record<string, number>;
  residentMib: number;
  cpuSeconds: number;
};

async function look(operator: Operator, began: number): Promise<Looked> {
  const metrics = await operator.metrics();
  const name = 'cellpost_operator_reconcile_seconds';
  return {
    seconds: secondsSince(began),
    reconciles: metrics.sum(`${name}_count`, { controller: 'cell' }),
    p99Seconds: quantileOf(metrics, `${name}_bucket`, { controller: 'cell' }, 0.99),
    requests: metrics.by('cellpost_operator_api_requests_total', 'verb'),
    residentMib: residentBytes(operator.pid) / 2 ** 20,
    cpuSeconds: await cpuSeconds(operator.pid),
  };
}

/** Writes but those of the lease, which a leader renews. */
async function writes(operator: Operator): Promise<number> {
  const metrics = await operator.metrics();
  const name = 'cellpost_operator_api_writes_total';
  return metrics.sum(name) - metrics.sum(name, { resource: 'leases' });
}

type Managed = { up: Looked; again: Looked; steadyWrites: number; steadyReads: number };

async function withOperator(count: number): Promise<Managed> {
  const fleet = await startFleet();
  const discovery = await standInForDiscovery();
  let operator = await startOperator(fleet, discovery.url);
  try {
    await fleet.admin.create(await sample<Platform>('platform'));
    return await watching<Cell, Managed>(fleet, TYPES.cell, async (cache) => {
      await watching<Platform, unknown>(fleet, TYPES.platform, (platforms) =>
        until(() => platforms.list().some(isReady), { timeoutMs: PATIENCE_MS, what: 'the platform' }),
      );
      const before = await operator.metrics();
      const cpuBefore = await cpuSeconds(operator.pid);
      const began = performance.now();
      await makeCells(fleet.admin, count);
      await until(() => cache.list().filter(isReady).length === count, {
        timeoutMs: patienceMs(count),
        what: `${count} cells to be ready`,
        intervalMs: 100,
      });
      const up = await look(operator, began);
      up.cpuSeconds -= cpuBefore;
      void before;
      await steady(operator);
      await operator.stop();
      operator = await startOperator(fleet, discovery.url);
      const restarted = performance.now();
      await until(async () => (await operator.metrics()).sum(RECONCILES, { controller: 'cell' }) >= count, {
        timeoutMs: patienceMs(count),
        what: 'an operator that starts to have looked at all cells',
        intervalMs: 100,
      });
      const again = await look(operator, restarted);
      return { up, again, ...(await watchSteady(operator)) };
    });
  } finally {
    await operator.stop();
    discovery.close();
    await fleet.close();
  }
}

const RECONCILES = 'cellpost_operator_reconcile_seconds_count';

const isReady = ({ status }: { status?: Cell['status'] | Platform['status'] }): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

/** Nothing has been written for a while. */
async function steady(operator: Operator): Promise<void> {
  let last = await writes(operator);
  let since = performance.now();
  await until(
    async () => {
      const now = await writes(operator);
      if (now !== last) since = performance.now();
      last = now;
      return performance.now() - since > STEADY_MS;
    },
    { timeoutMs: PATIENCE_MS, what: 'the operator to write nothing', intervalMs: 250 },
  );
}

async function watchSteady(operator: Operator): Promise<{ steadyWrites: number; steadyReads: number }> {
  const reads = async (): Promise<number> => {
    const { get = 0, list = 0 } = (await operator.metrics()).by('cellpost_operator_api_requests_total', 'verb');
    return get + list;
  };
  const [writesBefore, readsBefore] = [await writes(operator), await reads()];
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  return {
    steadyWrites: (await writes(operator)) - writesBefore,
    steadyReads: (await reads()) - readsBefore,
  };
}

const upRows: (string | number)[][] = [];
const againRows: (string | number)[][] = [];
for (const count of SIZES) {
  const alone = await withoutOperator(count);
  const { up, again, steadyWrites, steadyReads } = await withOperator(count);
  console.error(JSON.stringify({ count, alone, up, again, steadyWrites, steadyReads }));
  upRows.push([
    count,
    alone.objects,
    alone.appliedSeconds,
    alone.readySeconds,
    up.seconds,
    (up.seconds / alone.readySeconds).toFixed(2),
    up.reconciles / up.seconds,
    up.p99Seconds * 1_000,
    up.cpuSeconds,
    up.residentMib,
  ]);
}
console.log(machine());
console.log(table(['cells', 'objects', 'API alone: written, s', 'ready, s', 'operator: ready, s', 'ratio', 'reconciles/s', 'p99, ms', 'CPU, s', 'RSS, MiB'], upRows));
void againRows;
void keyOf;
