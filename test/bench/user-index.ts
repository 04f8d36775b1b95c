// npm run bench:user-index: a million users of 200 friends in one index process and in Redis' sets: time to load, memory, and
// "friend, or friend of a friend?" at 5,000 a second.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { Child } from '../../embedded/child.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { FriendGraph } from '../../workloads/user-index/graph.ts';
import { loadBase, saveWords } from '../../workloads/user-index/snapshots.ts';
import { installMissing } from '../support/debian.ts';
import { until } from '../support/wait.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { measured, type Measured } from './support/measure.ts';
import { RedisConnection, startRedis } from './support/redis.ts';
import { table } from './support/table.ts';

const USERS = Number(/^--users=(\d+)$/m.exec(process.argv.join('\n'))?.[1] ?? 1_000_000);
/** Each line makes a friend for both: 200 on average. */
const LINES_PER_USER = 100;
const RATE = 5_000;
const WARM_MS = 3_000;
const DURATION_MS = 8_000;
const CONNECTIONS = 32;
const REDIS_CONNECTIONS = 8;
/** Users whose lists are on their way to Redis at once. */
const REDIS_BATCH = 500;
const TOKEN = 'a token for benchmarks';
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
const anyUser = (): string => userOf(Math.floor(Math.random() * USERS));

/** Begins calls at a fixed rate, whatever becomes of those before; times count from when each was due. */
async function atRate(durationMs: number, call: () => Promise<unknown>): Promise<Measured> {
  const times: number[] = [];
  const under = new Set<Promise<void>>();
  const began = performance.now();
  for (let due = 0; due < (RATE * durationMs) / 1_000;) {
    const elapsed = performance.now() - began;
    for (; (due * 1_000) / RATE <= elapsed && due < (RATE * durationMs) / 1_000; due++) {
      const dueAt = began + (due * 1_000) / RATE;
      const one = call().then(() => {
        times.push(performance.now() - dueAt);
        under.delete(one);
      });
      under.add(one);
    }
    // Timers are a millisecond coarse, which would be measured, too.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(under);
  return measured(times, performance.now() - began);
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

const blobs = await openBlobStore(blobUrl, {});
await saveWords(blobs, new FriendGraph(), new Map());
await blobs.close();
began = performance.now();
const index = new Child({
  name: 'user-index',
  workload: 'user-index',
  logFile: join(folder, 'index.log'),
  onDeath: (line) => process.stderr.write(`${line}\n`),
});
resources.defer(() => index.kill());
const { url } = await index.start({
  CELLPOST_HTTP_PORT: '0',
  CELLPOST_LOG_LEVEL: 'error',
  CELLPOST_PLATFORM_TOKEN: TOKEN,
  // Nobody is there: an index serves from its snapshot.
  CELLPOST_DISCOVERY_URL: 'http://127.0.0.1:9',
  CELLPOST_BLOB_STORE: blobUrl,
});
await until(async () => (await fetch(`${url}/readyz`)).status === 200, {
  timeoutMs: 120_000,
  what: 'the index',
});
const startSeconds = seconds(began);
const indexBytes = residentBytes(index.pid ?? 0);

const pool = new Pool(url, { connections: CONNECTIONS });
resources.defer(() => pool.destroy());
const headers = { authorization: bearer(TOKEN) };
const degrees = new Map<unknown, number>();
const askIndex = async (): Promise<void> => {
  const path = `/v1/degree?a=${anyUser()}&b=${anyUser()}`;
  const { statusCode, body } = await pool.request({ method: 'GET', path, headers });
  const { degree } = (await body.json()) as { degree: unknown };
  if (statusCode !== 200) throw new Error(`The index answers ${statusCode}.`);
  degrees.set(degree, (degrees.get(degree) ?? 0) + 1);
};
await atRate(WARM_MS, askIndex);
const indexMeasured = await atRate(DURATION_MS, askIndex);
const indexBytesAfter = residentBytes(index.pid ?? 0);
index.kill();

const store = await openBlobStore(blobUrl, {});
const loaded = await loadBase(store);
await store.close();
if (!loaded) throw new Error('The edge list is gone.');
const { graph } = loaded;
const redis = await startRedis(folder);
resources.defer(() => redis.close());
const connections = Array.from({ length: REDIS_CONNECTIONS }, () => new RedisConnection(redis.port));
resources.defer(() => connections.forEach((connection) => connection.close()));
// By the index's numbers: integers, which Redis packs best.
const [loader] = connections as [RedisConnection];
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

let turn = 0;
const askRedis = async (): Promise<void> => {
  const connection = connections[turn++ % connections.length] as RedisConnection;
  const [a, b] = [anyUser().slice(1), anyUser().slice(1)];
  await Promise.all([
    connection.command('SISMEMBER', a, b),
    connection.command('SINTERCARD', '2', a, b, 'LIMIT', '1'),
  ]);
};
await atRate(WARM_MS, askRedis);
const redisMeasured = await atRate(DURATION_MS, askRedis);

const mb = (value: number): string => `${(value / 2 ** 20).toFixed(0)} MiB`;
process.stdout.write(
  `${table(
    ['', 'load, s', 'start from snapshot, s', 'memory', 'asked/s', 'p50, ms', 'p99, ms', 'max, ms'],
    [
      [
        'user index, HTTP',
        loadSeconds,
        startSeconds,
        mb(Math.max(indexBytes, indexBytesAfter)),
        indexMeasured.perSecond,
        indexMeasured.p50Ms,
        indexMeasured.p99Ms,
        indexMeasured.maxMs,
      ],
      [
        'Redis sets, RESP',
        redisSeconds,
        0,
        mb(redisBytes),
        redisMeasured.perSecond,
        redisMeasured.p50Ms,
        redisMeasured.p99Ms,
        redisMeasured.maxMs,
      ],
    ],
  )}\n`,
);
process.stdout.write(`answers: ${JSON.stringify(Object.fromEntries(degrees))}\n`);
