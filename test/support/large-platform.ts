// The console's page over a platform that there is no room for here: 20 cells with long names, large numbers, and much that is
// wrong. The page is the real one; what it shows is made up.
import express from 'express';
import type { CellView, LoadView, ProcessView, StageView } from '../../workloads/console/load-view.ts';
import { addPage } from '../../workloads/console/page.ts';

const CELLS = 20;
const SINCE = new Date(Date.now() - 36 * 3_600_000).toISOString();

const waves = (top: number): (number | null)[] =>
  Array.from({ length: 60 }, (_, i) => (i < 7 ? null : top * (0.6 + 0.4 * Math.sin(i / 4 + top))));

function process(name: string, workload: string, index: number): ProcessView {
  const isDown = index % 14 === 13;
  return {
    name,
    workload,
    url: `http://${name}:8081`,
    state: isDown ? 'lost' : workload === 'app-server' ? (index % 9 === 8 ? 'draining' : 'serving') : 'up',
    problem: isDown ? 'nothing for 1.5 s' : null,
    share: workload === 'app-server' ? 0.3337 : null,
    version: '2026.11.30-1a2b3c4d',
    requestsPerSecond: isDown ? 0 : 12_345 / (index + 1),
    errorsPerSecond: index % 4 === 0 ? 123.4 : 0,
    p50Ms: 1.5,
    p99Ms: isDown ? null : ([0.4, 48.2, 840, 12_400][index % 4] ?? null),
    cpuCores: isDown ? null : 3.99,
    loopBusy: 0.97,
    lagMs: isDown ? null : 1_234,
    memoryBytes: isDown ? null : 12.3e9 / (index + 1),
    memoryLimitBytes: 16e9,
    queue: { name: 'appends_waiting', depth: 900, limit: 1_000 },
    history: waves(index + 1),
  };
}

function cell(index: number): CellView {
  const name = `cell-with-a-long-name-${index + 1}`;
  return {
    name,
    state: ['Enabled', 'Enabled', 'Draining', 'Hibernated'][index % 4] ?? 'Enabled',
    dataCenter: 'east',
    buckets: 3_276,
    share: 1 / CELLS,
    ageSeconds: 0,
    problem: null,
    requestsPerSecond: 123_456 / (index + 1),
    errorsPerSecond: index % 2 === 0 ? 0 : 1_234,
    appendsPerSecond: 12_345,
    p99Ms: 1_234,
    storeP99Ms: index % 2 === 0 ? 12_345 : 48.2,
    history: waves(index + 3),
    nodes: [0, 1, 2].map((node) => process(`${name}-app-${node}`, 'app-server', 3 * index + node)),
  };
}

const stage = (workload: string, stage: string, title: string, index: number): StageView => ({
  workload,
  stage,
  title,
  perSecond: 12_345 / (index + 1),
  p50Ms: 1.2,
  p99Ms: [0.4, 48.2, 840, 12_400][index % 4] ?? null,
  usualMs: 12.3,
  slowest: null,
  history: waves(index + 1),
});

function largeView(): LoadView {
  const cells = Array.from({ length: CELLS }, (_, index) => cell(index));
  const down = cells.flatMap(({ nodes }) => nodes).filter(({ problem }) => problem !== null);
  return {
    at: new Date().toISOString(),
    intervalSeconds: 2,
    bottleneck: 'app-server cell-with-a-long-name-1-app-0: HBase mutate takes 840 ms (usual 4 ms)',
    findings: [
      ...down.map(({ name }) => ({
        process: `app-server ${name}`,
        kind: 'down' as const,
        subject: '',
        text: 'it does not answer: nothing for 1.5 s, and it has lost its place on the ring',
        since: SINCE,
      })),
      {
        process: 'app-server cell-with-a-long-name-1-app-0',
        kind: 'store',
        subject: 'hbase/mutate',
        text: 'HBase mutate takes 840 ms (usual 4 ms)',
        since: SINCE,
      },
      ...[3, 5, 7].map((number) => ({
        process: `app-server cell-with-a-long-name-${number}-app-1`,
        kind: 'processor' as const,
        subject: 'loop',
        text: 'its event loop is busy 97 % of the time',
        since: SINCE,
      })),
    ],
    totals: {
      requestsPerSecond: 1_234_567,
      errorsPerSecond: 12_345,
      appendsPerSecond: 123_456,
      p50Ms: 1.2,
      p99Ms: 12_345,
      history: waves(9),
    },
    map: { version: 4_294_967_368, ageSeconds: 12, unassignedBuckets: 16, exceptions: 12_345, problem: null },
    cells,
    services: ['discovery', 'mta-proxy', 'web', 'user-index', 'memcache-dirty'].flatMap((workload, index) =>
      [1, 2].map((pod) => process(`${workload} 10.244.123.${100 + pod}`, workload, index)),
    ),
    stages: [
      ...['parse', 'authenticate', 'policy', 'blob', 'deliver'].map((name, i) =>
        stage('mta-proxy', name, name, i),
      ),
      ...['queue', 'open', 'index', 'append', 'snapshot', 'blob'].map((name, i) =>
        stage('app-server', name, name, i),
      ),
      stage('app-server', 'hbase/mutate', 'HBase mutate', 2),
      stage('app-server', 'hbase/multi', 'HBase multi', 3),
      stage('app-server', 'zookeeper/children', 'ZooKeeper children', 0),
    ],
    users: Array.from({ length: 15 }, (_, index) => ({
      userId: `uxjq6kjhuwmnqe7l-${index}`,
      cell: `cell-with-a-long-name-${index + 1}`,
      requests: 123_456 / (index + 1),
      bytes: 987_654_321 / (index + 1),
      appends: 12_345,
    })),
  };
}

export async function serveLargePlatform(): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const app = express();
  addPage(app);
  app.get('/v1/load', (_request, response) => response.json(largeView()));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
