// npm run bench:discovery: one discovery process with 1,000 cells of 10 app servers and 10 million users, asked over HTTP, by
// batches, and by a client that follows it; ZooKeeper's own reads beside it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { Child } from '../../embedded/child.ts';
import { BUCKETS, BucketMap } from '../../workloads/common/cell-client/buckets.ts';
import { openCells } from '../../workloads/common/cell-client/cells.ts';
import { DirectoryFollower } from '../../workloads/common/cell-client/follower.ts';
import type { CoordinationSession } from '../../workloads/common/coordination/coordination.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { encodeMember, NODES } from '../../workloads/common/ring/registry.ts';
import { DEFAULT_TOKENS, type RingMember } from '../../workloads/common/ring/ring.ts';
import { toBytes } from '../../workloads/discovery/map-nodes.ts';
import { startZooKeeper } from '../real/zookeeper.ts';
import { until } from '../support/wait.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { alternate, load, median, quantile, type Measured } from './support/measure.ts';
import { listOption } from './support/options.ts';
import { table } from './support/table.ts';

const [CELLS = 1_000] = listOption('cells', []);
const NODES_PER_CELL = 10;
const USERS = 10_000_000;
const TOKEN = 'a token for benchmarks';
const ROUNDS = 3;
const ROUND_MS = 3_000;
/** Requests under way at once, of each contender. */
const IN_FLIGHT = 64;
const BATCH = 100;
const RING_CHANGES = 30;

const logger = createLogger('bench', 'silent');
const userKey = (n: number): string => `user:u${n.toString(36).padStart(15, '0')}`;
const anyUser = (): string => userKey(Math.floor(Math.random() * USERS));
const cellName = (n: number): string => `cell-${n}`;

function member(cell: string, node: number, session = '1'): RingMember {
  return {
    name: `${cell}-${node}`,
    url: `http://${cell}-${node}.${cell}.mail.svc.cluster.local:8081`,
    state: 'serving',
    tokens: DEFAULT_TOKENS,
    session,
    version: '1.0.0',
    pid: 1,
  };
}

/** The map and the rings, as discovery and app servers write them. */
async function populate(root: CoordinationSession, url: (chroot: string) => string): Promise<void> {
  for (const path of ['/rings', '/discovery', '/discovery/cells', '/discovery/exceptions'])
    await root.create(path, new Uint8Array());
  await inParallel(
    Array.from({ length: CELLS }, (_, n) => n),
    32,
    async (n) => {
      const cell = cellName(n);
      await root.create(`/rings/${cell}`, new Uint8Array());
      await root.create(`/rings/${cell}${NODES}`, new Uint8Array());
      for (let node = 0; node < NODES_PER_CELL; node++)
        await root.create(`/rings/${cell}${NODES}/${cell}-${node}`, encodeMember(member(cell, node)));
      const record = {
        name: cell,
        state: 'Enabled',
        dataCenter: 'here',
        coordination: url(`/rings/${cell}`),
      };
      await root.create(`/discovery/cells/${cell}`, toBytes(record));
    },
  );
  const buckets = Array.from({ length: BUCKETS }, (_, bucket) => [bucket, cellName(bucket % CELLS)] as const);
  await root.create('/discovery/map', toBytes(BucketMap.empty.with(buckets).encode()));
}

const rate = (results: readonly Measured[] | undefined, times = 1): number =>
  median((results ?? []).map(({ perSecond }) => perSecond * times));
const count = (value: number): string => Math.round(value).toLocaleString('en');

async function compare(discoveryUrl: string, root: CoordinationSession): Promise<void> {
  const pool = new Pool(discoveryUrl, { connections: 16, pipelining: 8 });
  const headers = { authorization: bearer(TOKEN), 'content-type': 'application/json' };
  const ask = async (options: { path: string; method: 'GET' | 'POST'; body?: string }): Promise<void> => {
    const { statusCode, body } = await pool.request({ ...options, headers });
    await body.text();
    if (statusCode !== 200) throw new Error(`${options.path} was answered ${statusCode}`);
  };
  const results = await alternate<Measured>(ROUNDS, {
    zookeeper: () =>
      load({ inFlight: IN_FLIGHT, durationMs: ROUND_MS }, () => {
        const cell = cellName(Math.floor(Math.random() * CELLS));
        return root.get(`/rings/${cell}${NODES}/${cell}-0`);
      }),
    single: () =>
      load({ inFlight: IN_FLIGHT, durationMs: ROUND_MS }, () =>
        ask({ path: `/v1/where?key=${encodeURIComponent(anyUser())}`, method: 'GET' }),
      ),
    batch: () =>
      load({ inFlight: 8, durationMs: ROUND_MS }, () => {
        const keys = Array.from({ length: BATCH }, anyUser);
        return ask({ path: '/v1/where', method: 'POST', body: JSON.stringify({ keys }) });
      }),
  });
  await pool.close();
  const zookeeper = rate(results.zookeeper);
  const single = rate(results.single);
  const batch = rate(results.batch, BATCH);
  console.log(
    table(
      ['look-ups', 'users a second', 'beside ZooKeeper’s reads', 'beside single'],
      [
        ['ZooKeeper, npm client, reads of a node', count(zookeeper), '1.00', ''],
        ['GET /v1/where', count(single), (single / zookeeper).toFixed(2), '1.00'],
        [
          `POST /v1/where, ${BATCH} keys`,
          count(batch),
          (batch / zookeeper).toFixed(2),
          (batch / single).toFixed(2),
        ],
      ],
    ),
  );
}

/** A client that streams the map, and looks up without a network. */
async function follow(discoveryUrl: string, zookeeperUrl: string): Promise<void> {
  const follower = new DirectoryFollower({ discoveryUrl, token: TOKEN, logger });
  try {
    await follower.ready(60_000);
    const keys = Array.from({ length: 100_000 }, anyUser);
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS + 1; round++) {
      let served = 0;
      const began = performance.now();
      for (let n = 0; n < 1_000_000; n++)
        if (!('problem' in follower.directory.where(keys[n % keys.length] ?? ''))) served++;
      if (served !== 1_000_000) throw new Error(`${served} of a million users are served`);
      rates.push(1_000_000 / ((performance.now() - began) / 1_000));
    }
    console.log(`\na client that follows the map: ${count(median(rates.slice(1)))} look-ups a second`);
    // Only now: a session does not outlive a million look-ups without a turn of the event loop.
    const root = await openCoordination(zookeeperUrl, { timeoutMs: 10_000 });
    const times: number[] = [];
    for (let change = 0; change < RING_CHANGES; change++) {
      const cell = cellName(change % CELLS);
      const session = `session-${change}`;
      const began = performance.now();
      await root.set(`/rings/${cell}${NODES}/${cell}-0`, encodeMember(member(cell, 0, session)));
      while (follower.directory.member(cell, `${cell}-0`)?.session !== session) await follower.changed(1_000);
      times.push(performance.now() - began);
    }
    await root.close();
    times.sort((a, b) => a - b);
    console.log(
      `a change in a ring reaches it in ${quantile(times, 0.5).toFixed(1)} ms (p50), ${times.at(-1)?.toFixed(1)} ms at most`,
    );
  } finally {
    await follower.close();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-discovery-'));
const zookeeper = await startZooKeeper();
const discovery = new Child({
  name: 'discovery',
  workload: 'discovery',
  logFile: join(folder, 'discovery.log'),
  onDeath: (line) => console.log(line),
});
try {
  console.log(`${machine()}; ${CELLS} cells of ${NODES_PER_CELL}, ${USERS.toLocaleString('en')} users\n`);
  const root = await openCoordination(zookeeper.url('/'), { timeoutMs: 10_000 });
  await populate(root, (chroot) => zookeeper.url(chroot));
  const began = performance.now();
  const { url } = await discovery.start({
    CELLPOST_COORDINATION: zookeeper.url('/discovery'),
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_LOG_LEVEL: 'warn',
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_SESSION_TIMEOUT_MS: '10000',
    CELLPOST_STATE_DIR: folder,
  });
  const cells = await openCells({ discoveryUrl: url, token: TOKEN, logger });
  const keys = Array.from({ length: CELLS * 4 }, anyUser);
  const served = async (): Promise<boolean> => {
    const answers = await Promise.all(keys.map((key) => cells.where(key).catch(() => undefined)));
    return answers.every((answer) => answer !== undefined);
  };
  await until(served, { timeoutMs: 300_000, what: 'all rings to be known' });
  await cells.close();
  const pid = discovery.pid ?? 0;
  const mib = (): string => `${(residentBytes(pid) / 2 ** 20).toFixed(0)} MiB`;
  console.log(
    `all rings known after ${((performance.now() - began) / 1_000).toFixed(1)} s, ${mib()} resident\n`,
  );
  await compare(url, root);
  await root.close();
  await follow(url, zookeeper.url('/'));
  console.log(`${mib()} resident afterwards`);
} finally {
  await discovery.stop();
  await zookeeper.close();
  await rm(folder, { recursive: true, force: true });
}
