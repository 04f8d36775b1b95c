// The collector against real listeners that stand for processes, and one that stands for discovery.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Gauge, Histogram, Registry } from 'prom-client';
import { ClockAhead } from '../../test/support/clock-ahead.ts';
import { until } from '../../test/support/wait.ts';
import { createLogger } from '../common/log.ts';
import { Collector } from './collector.ts';
import type { LoadView } from './load-view.ts';
import { makeView } from './view.ts';

const WAIT = { timeoutMs: 10_000, intervalMs: 10 };
const INTERVAL_MS = 30;
const BUCKETS = [0.001, 0.005, 0.01, 0.1, 1, 10];

/** What a process answers; `behave` changes it. */
class Process {
  readonly registry = new Registry();
  readonly #requests: Histogram;
  readonly #store: Histogram;
  behave: 'well' | 'rubbish' | 'not at all' = 'well';
  storeSeconds = 0.004;
  errors = 0;

  constructor(workload: string) {
    const histogram = (name: string, labelNames: string[]): Histogram =>
      new Histogram({
        name: `cellpost_${workload}_${name}_duration_seconds`,
        help: name,
        labelNames,
        buckets: BUCKETS,
        registers: [this.registry],
      });
    this.#requests = histogram('request', ['route', 'status']);
    this.#store = histogram('store_call', ['store', 'operation']);
    const start = new Gauge({
      name: 'process_start_time_seconds',
      help: 'start',
      registers: [this.registry],
    });
    start.set(1);
  }

  /** Each look finds that something has been done. */
  async metrics(): Promise<string> {
    for (let i = 0; i < 10; i++) {
      this.#requests.observe({ route: 'x', status: i < this.errors ? '503' : '200' }, 0.002);
      this.#store.observe({ store: 'hbase', operation: 'append' }, this.storeSeconds);
    }
    return await this.registry.metrics();
  }
}

let processes: Record<string, Process> = {};
/** The names of those on the ring of cell a, and their states. */
let ring: Record<string, 'serving' | 'draining'> = {};
let collector: Collector;
let clock: ClockAhead;
let view: LoadView | undefined;
let url = '';

const server = createServer((request, response) => {
  void answer(request.url ?? '').then(
    (text) => (text === undefined ? request.socket.destroy() : response.end(text)),
    () => response.writeHead(500).end(),
  );
});

async function answer(path: string): Promise<string | undefined> {
  if (path === '/v1/summary') return JSON.stringify(summary());
  // Nobody tells of changes here; the collector asks for all it needs.
  if (path === '/v1/watch') return '';
  const [, name = '', what] = path.split('/');
  const process = processes[name];
  if (!process || process.behave === 'not at all') return undefined;
  if (process.behave === 'rubbish') return '<!doctype html>';
  if (what === 'metrics') return await process.metrics();
  return JSON.stringify({ users: [{ userId: `of ${name}`, requests: 5, bytes: 100, appends: 1 }] });
}

function summary(): object {
  const members = Object.entries(ring).map(([name, state]) => ({
    name,
    url: `${url}/${name}`,
    state,
    tokens: 64,
    version: '1',
    share: 0.5,
  }));
  const cell = {
    state: 'Enabled',
    dataCenter: 'here',
    buckets: 32_768,
    share: 0.5,
    ringVersion: 1,
    current: true,
  };
  return {
    mapVersion: 3,
    ageSeconds: 0,
    unassignedBuckets: 32_768,
    exceptions: 0,
    cells: [{ name: 'a', ...cell, ageSeconds: 0, members }],
  };
}

const findings = (): string[] => (view?.findings ?? []).map(({ process, text }) => `${process}: ${text}`);
const seen = (pattern: RegExp): Promise<string> =>
  until(() => findings().find((text) => pattern.test(text)), { ...WAIT, what: String(pattern) });
const gone = (pattern: RegExp): Promise<boolean> =>
  until(() => !findings().some((text) => pattern.test(text)), { ...WAIT, what: `the end of ${pattern}` });

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(async () => {
  processes = {
    'a-0': new Process('app_server'),
    'a-1': new Process('app_server'),
    web: new Process('web'),
  };
  ring = { 'a-0': 'serving', 'a-1': 'serving' };
  view = undefined;
  clock = new ClockAhead();
  collector = new Collector({
    clock,
    discoveryUrl: url,
    token: 'a token of the platform',
    targets: [{ workload: 'web', at: { url: `${url}/web` } }],
    intervalMs: INTERVAL_MS,
    logger: createLogger('test', 'silent'),
    onLook: (state) => {
      view = makeView(state, new Date(), INTERVAL_MS / 1_000);
    },
  });
  await until(() => (view?.totals.requestsPerSecond ?? 0) > 0, { ...WAIT, what: 'rates' });
});

afterEach(() => collector.close());

test('cells, servers, services, stages and users are told with their rates', async () => {
  const now = await until(() => (view?.stages[0]?.usualMs === null ? undefined : view), WAIT);
  const [cell] = now.cells;
  assert.equal(cell?.name, 'a');
  assert.deepEqual(
    cell.nodes.map(({ name, state, share }) => [name, state, share]),
    [
      ['a-0', 'serving', 0.5],
      ['a-1', 'serving', 0.5],
    ],
  );
  assert.ok(cell.requestsPerSecond > (cell.nodes[0]?.requestsPerSecond ?? 0));
  assert.deepEqual(
    now.services.map(({ name, state }) => [name, state]),
    [['web', 'up']],
  );
  const stage = now.stages.find(({ workload }) => workload === 'app-server');
  assert.equal(stage?.title, 'HBase append');
  assert.ok((stage.p99Ms ?? 0) > 1 && (stage.p99Ms ?? 0) <= 5, String(stage.p99Ms));
  assert.deepEqual(now.users.map(({ userId, cell }) => [userId, cell]).toSorted(), [
    ['of a-0', 'a'],
    ['of a-1', 'a'],
  ]);
  assert.deepEqual(
    findings().filter((text) => /takes|fail/.test(text)),
    [],
  );
});

test('a store that gets slow is named with what is usual, until it is quick again', async () => {
  const [server] = Object.values(processes);
  assert.ok(server);
  await until(() => (view?.stages.every(({ usualMs }) => usualMs !== null) ? true : undefined), WAIT);
  server.storeSeconds = 0.84;
  const text = await seen(/^app-server a-0: HBase append takes/);
  assert.match(text, /takes \d+ ms \(usual \d(?:\.\d)? ms\)$/);
  assert.equal(view?.bottleneck, findings()[0]);
  assert.ok(Date.now() - Date.parse(view?.findings[0]?.since ?? '') < WAIT.timeoutMs);
  server.storeSeconds = 0.004;
  await gone(/HBase append/);
});

test('errors are told', async () => {
  const { web } = processes;
  assert.ok(web);
  web.errors = 3;
  assert.match(await seen(/^web: \d+ % of the requests fail$/), /: (?:[12]\d|30) %/);
});

test('a process that does not answer, or answers rubbish, is named with the reason', async () => {
  const { web } = processes;
  assert.ok(web);
  web.behave = 'not at all';
  await seen(/^web: it does not answer: it broke the connection off$/);
  assert.equal(view?.services[0]?.state, 'down');
  web.behave = 'rubbish';
  await seen(/^web: it does not answer: This is no metric: "<!doctype html>"$/);
  web.behave = 'well';
  await gone(/^web:/);
});

test('a server that is lost from its ring is told of, one that left is forgotten', async () => {
  ring = { 'a-0': 'serving', 'a-1': 'draining' };
  await until(() => view?.cells[0]?.nodes[1]?.state === 'draining', WAIT);
  ring = { 'a-0': 'serving' };
  await until(() => view?.cells[0]?.nodes.length === 1, WAIT);
  const { 'a-0': server } = processes;
  assert.ok(server);
  server.behave = 'not at all';
  ring = {};
  await seen(/^app-server a-0: it does not answer: .*, and it has lost its place on the ring$/);
  await seen(/^cell a: it has no app server that serves$/);
  assert.equal(view?.cells[0]?.nodes[0]?.state, 'lost');
  server.behave = 'well';
  await seen(/^app-server a-0: it answers, but it has lost its place on the ring$/);
  ring = { 'a-0': 'serving' };
  await gone(/./);
});

test('it is well whatever does not answer, and ill when a look does not end', async () => {
  const { web } = processes;
  assert.ok(web);
  web.behave = 'not at all';
  await seen(/^web: it does not answer/);
  assert.equal(collector.health(), true);
  clock.aheadMs += 400_000;
  assert.match(String(collector.health()), /^looking at the platform has not gone on for 4\d\d s$/);
  await until(() => collector.health() === true, WAIT);
});
