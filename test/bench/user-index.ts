// npm run bench:user-index: a million users of 200 friends in one index process and in Redis' sets: time to load, memory, and
// "friend, or friend of a friend?" at 5,000 a second by a process of its own. `--profile` leaves a CPU profile of the index.
// `--from=feed`: without Redis, friends that logs tell in place of an edge list. `--users=N` sets how many.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { loadBase } from '../../workloads/user-index/base-snapshot.ts';
import { installMissing } from '../support/debian.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { readMetrics, type Metrics } from './support/prometheus.ts';
import { RedisConnection, startRedis } from './support/redis.ts';
import { table } from './support/table.ts';
import { asked, startIndex } from './support/user-index.ts';
import type { AskerResult } from './user-index-asker.ts';
import { benchFeed } from './user-index-feed.ts';

const USERS = Number(/^--users=(\d+)$/m.exec(process.argv.join('\n'))?.[1] ?? 1_000_000);
/** Each line makes a friend for both: 200 on average. */
const LINES_PER_USER = 100;
/** Users whose lists are on their way to Redis at once. */
const REDIS_BATCH = 500;
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

if (process.argv.includes('--from=feed')) {
  await benchFeed(USERS);
  process.exit();
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

if (process.argv.includes('--profile')) process.env.NODE_OPTIONS = '--cpu-prof';
const index = await startIndex(folder, blobUrl);
resources.defer(() => index.stop());
delete process.env.NODE_OPTIONS;
const { url, startSeconds } = index;
const indexBytes = residentBytes(index.pid);
const indexAsked = await asked('index', Number(new URL(url).port), USERS);
const metrics: Metrics = await readMetrics(`${url}/metrics`);
const handledMs = metrics.quantile('cellpost_user_index_request_duration_seconds', {}, 0.99) * 1_000;
const collections = metrics.sum('nodejs_gc_duration_seconds_count');
const collectedMs = (metrics.sum('nodejs_gc_duration_seconds_sum') * 1_000) / Math.max(1, collections);
const indexBytesAfter = residentBytes(index.pid);
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

const redisAsked = await asked('redis', redis.port, USERS);

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
