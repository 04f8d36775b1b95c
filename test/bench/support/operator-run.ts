// An operator process under measurement, and what its metrics and the system say of it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { residentBytes } from './cpu.ts';
import { NAMESPACE } from './operator-fleet.ts';
import { cpuSeconds } from './processes.ts';
import { readMetrics, type Metrics } from './prometheus.ts';

/** As the chart starts it, in a container of 512 MiB. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=8',
  '--max-old-space-size=256',
];
const RECONCILE = 'cellpost_operator_reconcile_duration_seconds';
const CELLS = { controller: 'cell' };
const REQUESTS = 'cellpost_operator_api_requests_total';
const READS = ['get', 'list', 'watch'];

export type Requests = { reads: number; writes: number };
export type Figures = Requests & {
  /** Since the process was started, or since other figures. */
  seconds: number;
  cpuSeconds: number;
  /** Of cells. */
  reconciles: number;
  /** The upper bound of the histogram's bucket; since the start. */
  p99Seconds: number;
  residentMib: number;
  heapMib: number;
};

export type OperatorProcess = {
  /** What is counted is counted since `before`, if that is given. */
  figures(before?: Figures): Promise<Figures>;
  stop(): Promise<void>;
};

/** @param discovery the URL of what stands in for it */
export async function startOperator(kubeconfig: string, discovery: string): Promise<OperatorProcess> {
  const began = performance.now();
  const child = fork(fileURLToPath(new URL('../operator-process.ts', import.meta.url)), {
    execArgv: NODE_FLAGS,
    env: {
      ...process.env,
      KUBECONFIG: kubeconfig,
      BENCH_DISCOVERY: discovery,
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_LOG_LEVEL: process.env.CELLPOST_LOG_LEVEL ?? 'silent',
      CELLPOST_OPERATOR_NAMESPACE: NAMESPACE,
      CELLPOST_IMAGE: 'registry.test/cellpost:1.0',
      CELLPOST_HBASE_IMAGE: 'registry.test/hbase:1.0',
      CELLPOST_MEMCACHED_IMAGE: 'registry.test/memcached:1.0',
    },
  });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  const { pid } = child;
  if (pid === undefined) throw new Error('The operator did not start.');
  return {
    async figures(before) {
      const seconds = (performance.now() - began) / 1_000;
      const metrics = await readMetrics(`${url}/metrics`);
      const requests = requestsOf(metrics);
      return {
        seconds: seconds - (before?.seconds ?? 0),
        cpuSeconds: (await cpuSeconds(pid)) - (before?.cpuSeconds ?? 0),
        reads: requests.reads - (before?.reads ?? 0),
        writes: requests.writes - (before?.writes ?? 0),
        reconciles: metrics.sum(`${RECONCILE}_count`, CELLS) - (before?.reconciles ?? 0),
        p99Seconds: metrics.quantile(RECONCILE, CELLS, 0.99),
        residentMib: residentBytes(pid) / 2 ** 20,
        heapMib: metrics.sum('nodejs_heap_size_used_bytes') / 2 ** 20,
      };
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** All but those of the lease, which a leader reads and renews. */
function requestsOf(metrics: Metrics): Requests {
  const sum = (labels: Record<string, string>): number =>
    metrics.sum(REQUESTS, labels) - metrics.sum(REQUESTS, { ...labels, resource: 'leases' });
  const reads = READS.reduce((total, verb) => total + sum({ verb }), 0);
  return { reads, writes: sum({}) - reads };
}
