// npm run bench:user-index: a million users of 200 friends in one index process and in Redis' sets: time to load, memory, and
// "friend, or friend of a friend?" at 5,000 a second by a process of its own. `--profile` leaves a CPU profile of the index.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../embedded/child.ts';
import { startCoordinator } from '../../embedded/coordinator.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { loadBase } from '../../workloads/user-index/snapshots.ts';
import { installMissing } from '../support/debian.ts';
import { until } from '../support/wait.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { readMetrics, type Metrics } from './support/prometheus.ts';
import { RedisConnection, startRedis } from './support/redis.ts';
import { table } from './support/table.ts';
import type { AskerResult, AskerWork } from './user-index-asker.ts';

const USERS = Number(/^--users=(\d+)$/m.exec(process.argv.join('\n'))?.[1] ?? 1_000_000);
/** Each line makes a friend for both: 200 on average. */
const LINES_PER_USER = 100;
const RATE = 5_000;
const WARM_MS = 3_000;
const DURATION_MS = 8_000;
/** Users whose lists are on their way to Redis at once. */
const REDIS_BATCH = 500;
const TOKEN = 'a token for benchmarks';
const ASKER = fileURLToPath(new URL('./user-index-asker.ts', import.meta.url));
const CELLCTL = fileURLToPath(new URL('../../cli/cellctl.ts', import.meta.url));

const userOf = (n: number): string => `u${n}`;
/** A generator of its own (mulberry32), so that both get the same friends without holding them. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The friends that a user's own lines name. */
function* friendsOf(user: number): Generator<number, void, undefined> {
  const random = randomOf(user);
  for (let n = 0; n < LINES_PER_USER; n++) {
    const friend = random() % USERS;
    if (friend !== user) yield friend;
  }
}

async function writeEdges(file: string): Promise<number> {
  const out = createWriteStream(file, { highWaterMark: 1 << 20 });
  let bytes = 0;
  let text = '';
  for (let user = 0; user < USERS; user++) {
    const own = `${userOf(user)} u`;
    for (const friend of friendsOf(user)) text += `${own}${friend}\n`;
    if (text.length < 1 << 20 && user + 1 < USERS) continue;
    bytes += text.length;
    if (!out.write(text, 'latin1')) await once(out, 'drain');
    text = '';
  }
  out.end();
  await once(out, 'close');
  return bytes;
}

const seconds = (began: number): number => (performance.now() - began) / 1_000;
const portOf = (url: string): number => Number(new URL(url).port);

/** Asks by a process that does nothing else. */
async function asked(whom: AskerWork['whom'], port: number): Promise<AskerResult> {
  // Helpers of its garbage collector would take the processor from who is measured.
  const asker = fork(ASKER, { execArgv: ['--single-threaded-gc'] });
  const work: AskerWork = {
    whom,
    port,
    token: TOKEN,
    users: USERS,
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

const missing = await installMissing({ 'redis-server': 'redis-server' });
if (missing.length > 0) throw new Error(`This needs ${missing.join(', ')}.`);
const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-'));
await using resources = new AsyncDisposableStack();
resources.defer(() => rm(folder, { recursive: true, force: true }));
const blobUrl = `file:${join(folder, 'blobs')}`;
process.stdout.write(`${machine()}; ${USERS} users\n`);

const edges = join(folder, 'edges.txt');
let began = performance.now();
const bytes = await writeEdges(edges);
process.stdout.write(
  `edge list of ${(bytes / 1e6).toFixed(0)} MB written in ${seconds(began).toFixed(1)} s\n`,
);

began = performance.now();
const load = fork(CELLCTL, ['user-index', 'load', edges, '--json'], {
  env: { ...process.env, CELLPOST_BLOB_STORE: blobUrl },
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
});
const [code] = (await once(load, 'exit')) as [number];
if (code !== 0) throw new Error('The edge list could not be loaded.');
const loadSeconds = seconds(began);
await rm(edges);

// A platform without cells: there are no logs to be read.
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
began = performance.now();
if (process.argv.includes('--profile')) process.env.NODE_OPTIONS = '--cpu-prof';
const index = child('user-index');
delete process.env.NODE_OPTIONS;
const { url } = await index.start({
  ...common,
  CELLPOST_DISCOVERY_URL: discovery.url,
  CELLPOST_BLOB_STORE: blobUrl,
});
await until(async () => (await fetch(`${url}/readyz`)).status === 200, {
  timeoutMs: 120_000,
  what: 'the index',
});
const startSeconds = seconds(began);
const indexBytes = residentBytes(index.pid ?? 0);
const indexAsked = await asked('index', portOf(url));
const metrics: Metrics = await readMetrics(`${url}/metrics`);
const handledMs = metrics.quantile('cellpost_user_index_request_duration_seconds', {}, 0.99) * 1_000;
const collections = metrics.sum('nodejs_gc_duration_seconds_count');
const collectedMs = (metrics.sum('nodejs_gc_duration_seconds_sum') * 1_000) / Math.max(1, collections);
const indexBytesAfter = residentBytes(index.pid ?? 0);
await index.stop();

const store = await openBlobStore(blobUrl, {});
const loaded = await loadBase(store);
await store.close();
if (!loaded) throw new Error('The edge list is gone.');
const { graph } = loaded;
const redis = await startRedis(folder);
resources.defer(() => redis.close());
// By the index's numbers: integers, which Redis packs best.
const loader = new RedisConnection(redis.port);
resources.defer(() => loader.close());
began = performance.now();
for (let user = 0, sent: Promise<number>[] = []; user < USERS; user++) {
  const { offsets, targets } = graph.base;
  const friends = targets.subarray(offsets[user], offsets[user + 1]);
  sent.push(loader.command('SADD', String(user), ...Array.from(friends, String)));
  if (sent.length < REDIS_BATCH && user + 1 < USERS) continue;
  await Promise.all(sent);
  sent = [];
}
const redisSeconds = seconds(began);
const redisBytes = residentBytes(redis.pid);

const redisAsked = await asked('redis', redis.port);

const mb = (value: number): string => `${(value / 2 ** 20).toFixed(0)} MiB`;
const row = (name: string, load: number, start: number, memory: string, result: AskerResult) => [
  name,
  load,
  start,
  memory,
  result.fromDue.perSecond,
  result.fromDue.p50Ms,
  result.fromDue.p99Ms,
  result.fromDue.maxMs,
  result.fromSent.p99Ms,
  result.late.p99Ms,
];
const columns = ['', 'load, s', 'start, s', 'memory', 'asked/s', 'p50, ms', 'p99, ms', 'max, ms'];
process.stdout.write(
  `${table(
    [...columns, 'p99 from sent, ms', 'asker late p99, ms'],
    [
      row(
        'user index, HTTP',
        loadSeconds,
        startSeconds,
        mb(Math.max(indexBytes, indexBytesAfter)),
        indexAsked,
      ),
      row('Redis sets, RESP', redisSeconds, 0, mb(redisBytes), redisAsked),
    ],
  )}\n`,
);
process.stdout.write(
  `in the index itself: p99 at most ${handledMs} ms a question, ${collections} collections of garbage of ${collectedMs.toFixed(1)} ms\n`,
);
process.stdout.write(`answers: ${JSON.stringify(indexAsked.answers)}\n`);
