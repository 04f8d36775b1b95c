// npm run bench:operator [-- --cells 1000]: how fast the operator brings cells up, beside the time that the API server needs
// to take the same objects from the same client without an operator; then what an operator does that starts beside cells
// that are as they should be. The API server and its controllers are real; pods run by word of kwok.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { childrenOf } from '../../operator/resources/testing.ts';
import type { KubeApi } from '../../operator/runtime/api.ts';
import { OperatorMetrics } from '../../operator/runtime/metrics.ts';
import { TYPES, type KubeObject } from '../../operator/runtime/resources.ts';
import { WatchCache } from '../../operator/runtime/watch-cache.ts';
import type { Cell, Platform } from '../../operator/types.ts';
import type { StatefulSetObject } from '../../operator/world.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { standInForDiscovery } from '../support/discovery-stand-in.ts';
import { until } from '../support/wait.ts';
import { machine } from './support/cpu.ts';
import { listOption } from './support/options.ts';
import { NAMESPACE, startFleet, type Fleet } from './support/operator-fleet.ts';
import { startOperator, type Figures, type OperatorProcess, type Requests } from './support/operator-run.ts';
import { table } from './support/table.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';

const SIZES = listOption('cells', [10, 100]);
/** Objects that are written at once; the operator has as many workers. */
const IN_FLIGHT = 8;
/** For all, and for each cell besides: machines are slow and busy. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_CELL_MS = 2_000;
/** How long nothing may be written before the fleet counts as steady, and how long it is watched then. */
const STEADY_MS = 5_000;
const WATCHED_MS = 15_000;

const logger = createLogger('bench', 'silent');
const patienceMs = (cells: number): number => PATIENCE_MS + cells * PATIENCE_PER_CELL_MS;
const secondsSince = (began: number): number => (performance.now() - began) / 1_000;

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
  const cache = new WatchCache<T>({
    api: admin,
    type,
    logger,
    metrics: new OperatorMetrics(new WorkloadMetrics('operator')),
  });
  try {
    return await work(cache);
  } finally {
    await cache.close();
  }
}

const isComplete = ({ spec, status }: StatefulSetObject): boolean =>
  status?.readyReplicas !== undefined && status.readyReplicas === spec.replicas;

const isReady = ({ status }: Cell | Platform): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

type Alone = { objects: number; seconds: number };

/** The same objects, one cell after another, as fast as the same client can write them, until all pods are ready. */
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
      const made = objects.filter(({ kind }) => kind === TYPES.statefulSet.kind).length;
      await until(() => sets.list().filter(isComplete).length === made, {
        timeoutMs: patienceMs(count),
        what: `${made} StatefulSets to be complete`,
        intervalMs: 100,
      });
      return { objects: objects.length, seconds: secondsSince(began) };
    });
  } finally {
    await fleet.close();
  }
}

/** `up`: from nothing to cells that serve; `again`: an operator that starts then; `steady`: what it asks after that. */
type Managed = { up: Figures; again: Figures; steady: Requests };

async function withOperator(count: number): Promise<Managed> {
  const fleet = await startFleet();
  const discovery = await standInForDiscovery();
  let operator = await startOperator(fleet.kubeconfig, discovery.url);
  try {
    await fleet.admin.create(await sample<Platform>('platform'));
    await watching<Platform, unknown>(fleet, TYPES.platform, (platforms) =>
      until(() => platforms.list().some(isReady), { timeoutMs: PATIENCE_MS, what: 'the platform' }),
    );
    const up = await watching<Cell, Figures>(fleet, TYPES.cell, async (cells) => {
      const before = await operator.figures();
      await makeCells(fleet.admin, count);
      await until(() => cells.list().filter(isReady).length === count, {
        timeoutMs: patienceMs(count),
        what: `${count} cells to be ready`,
        intervalMs: 100,
      });
      return await operator.figures(before);
    });
    await untilSteady(operator);
    await operator.stop();
    operator = await startOperator(fleet.kubeconfig, discovery.url);
    const again = await until(
      async () => {
        const figures = await operator.figures();
        return figures.reconciles >= count && figures;
      },
      { timeoutMs: patienceMs(count), what: 'all cells to be looked at', intervalMs: 100 },
    );
    await sleep(STEADY_MS);
    const before = await operator.figures();
    await sleep(WATCHED_MS);
    return { up, again, steady: await operator.figures(before) };
  } finally {
    await operator.stop();
    discovery.close();
    await fleet.close();
  }
}

/** Resolves when nothing has been written for a while. */
async function untilSteady(operator: OperatorProcess): Promise<void> {
  let last = -1;
  let since = performance.now();
  await until(
    async () => {
      const { writes } = await operator.figures();
      if (writes !== last) since = performance.now();
      last = writes;
      return performance.now() - since > STEADY_MS;
    },
    { timeoutMs: PATIENCE_MS, what: 'the operator to write nothing', intervalMs: 250 },
  );
}

const ups: (string | number)[][] = [];
const agains: (string | number)[][] = [];
for (const count of SIZES) {
  const alone = await withoutOperator(count);
  const { up, again, steady } = await withOperator(count);
  ups.push([
    count,
    alone.objects,
    alone.seconds,
    up.seconds,
    (up.seconds / alone.seconds).toFixed(2),
    up.writes,
    up.reconciles / up.seconds,
    `${up.p99Seconds * 1_000} ms`,
    up.cpuSeconds,
    up.residentMib,
  ]);
  agains.push([
    count,
    again.seconds,
    again.reads,
    again.writes,
    again.cpuSeconds,
    again.residentMib,
    again.heapMib,
    steady.writes,
    steady.reads,
  ]);
}
const of = 'reconcile p99, at most';
const head = ['cells', 'objects', 'API alone, s', 'operator, s', 'ratio', 'writes', 'reconciles/s', of];
const again = ['cells', 'all looked at, s', 'reads', 'writes', 'CPU, s', 'MiB', 'heap, MiB'];
console.log(`\n${machine()}\n\n${table([...head, 'CPU, s', 'MiB'], ups)}`);
console.log(`\nAn operator that starts beside them; then ${WATCHED_MS / 1_000} s of a steady fleet:\n`);
console.log(table([...again, 'then writes', 'then reads'], agains));
