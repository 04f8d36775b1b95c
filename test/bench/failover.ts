// npm run bench:failover: four app servers over a real HBase and a real ZooKeeper under 200 requests a second. One is killed with
// -9, again and again: how long until every user is served? One leaves as planned: does a request fail, how long is a user's
// longest gap?
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../../embedded/child.ts';
import { openCells, type Cells } from '../../workloads/common/cell-client/cells.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { startHbase } from '../real/hbase.ts';
import { startZooKeeper } from '../real/zookeeper.ts';
import { until } from '../support/wait.ts';
import { machine } from './support/cpu.ts';
import { load, quantile } from './support/measure.ts';
import { table } from './support/table.ts';

const NODES = 4;
const USERS = 200;
const REQUESTS_PER_SECOND = 200;
const TOKEN = 'a token for benchmarks';
/** As a cell's pods have it. */
const SESSION_TIMEOUT_MS = 2_000;
/** Users that are asked without a pause while a server leaves. */
const PROBED_USERS = 5;
const PROBE_PAUSE_MS = 2;
const DEADLINE_MS = 30_000;
const SETTLE_MS = 2_000;

const option = (name: string, otherwise: number): number =>
  Number(new RegExp(`^--${name}=(\\d+)$`, 'm').exec(process.argv.join('\n'))?.[1] ?? otherwise);
const KILLS = option('kills', 20);
const LEAVES = option('leaves', 10);
/** First as much load as the machine takes: an HBase that has just started spends a core on compiling itself. */
const WARM_UP_S = option('warm-up', 90);
const WARM_UP_IN_FLIGHT = 16;

const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'];

type Users = readonly string[];

/** One JMAP call as a service. @throws when it is not answered with a success */
async function jmap(
  cells: Cells,
  user: string,
  name: string,
  args: Record<string, unknown>,
): Promise<unknown> {
  const response = await cells.request(userKey(user), {
    method: 'POST',
    path: `/users/${user}/jmap/api`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ using: USING, methodCalls: [[name, { accountId: user, ...args }, '0']] }),
    idempotent: true,
    deadlineMs: DEADLINE_MS,
  });
  const answer = (await response.json()) as { methodResponses?: [string, unknown][] };
  const [result] = answer.methodResponses ?? [];
  if (response.status !== 200 || result?.[0] !== name) throw new Error(JSON.stringify(answer).slice(0, 200));
  return result[1];
}

const read = (cells: Cells, user: string): Promise<unknown> =>
  jmap(cells, user, 'Mailbox/get', { ids: null, properties: ['unreadEmails'] });

/** A mailbox's sort order: setting it again to the same is harmless, so a request may be repeated. */
const write = (cells: Cells, user: string, value: number): Promise<unknown> =>
  jmap(cells, user, 'Mailbox/set', { update: { 'm1-3': { sortOrder: value } } });

/** Requests at a fixed rate, whatever becomes of them: half of them write. */
class Load {
  readonly failures = new Map<string, number>();
  requests = 0;
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Set<Promise<void>>();

  constructor(cells: Cells, users: Users) {
    this.#timer = setInterval(() => {
      const n = this.requests++;
      const user = users[n % users.length] ?? '';
      const request = (n % 2 === 0 ? read(cells, user) : write(cells, user, n % 1_000)).then(
        () => {},
        (error: Error) => {
          const kind = error.message.slice(0, 100);
          this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
        },
      );
      this.#pending.add(request);
      void request.finally(() => this.#pending.delete(request));
    }, 1_000 / REQUESTS_PER_SECOND);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }
}

type Platform = { cells: Cells; servers: readonly Child[]; users: Users };

async function usersOf(cells: Cells, users: Users, node: string): Promise<string[]> {
  const owners = await Promise.all(users.map((user) => cells.where(userKey(user))));
  return users.filter((_, index) => owners[index]?.node === node);
}

async function allServe({ cells }: Platform): Promise<void> {
  const serving = async (): Promise<boolean> =>
    (await cells.nodes()).filter(({ state }) => state === 'serving').length === NODES;
  await until(serving, { timeoutMs: 60_000, what: 'all app servers to serve' });
  await delay(SETTLE_MS);
}

/** @returns how long it takes until each user of the killed server is answered, the longest of them */
async function kill(platform: Platform, index: number): Promise<number> {
  await allServe(platform);
  const { cells, servers, users } = platform;
  const lost = await usersOf(cells, users, `a-${index}`);
  const began = performance.now();
  process.kill(servers[index]?.pid ?? 0, 'SIGKILL');
  await Promise.all(lost.map((user) => read(cells, user)));
  return performance.now() - began;
}

/**
 * @param whenBack gets the longest gap after the server's process was started again, which takes a core for itself then
 * @returns the longest time between two answers to one of its users until then
 */
async function leave(platform: Platform, index: number, whenBack: number[]): Promise<number> {
  await allServe(platform);
  const { cells, servers, users } = platform;
  const probed = (await usersOf(cells, users, `a-${index}`)).slice(0, PROBED_USERS);
  const ending = new AbortController();
  let longest = 0;
  let longestBack = 0;
  let isBack = false;
  const probe = async (user: string): Promise<void> => {
    for (let last = performance.now(); !ending.signal.aborted;) {
      await read(cells, user);
      const now = performance.now();
      if (isBack) longestBack = Math.max(longestBack, now - last);
      else longest = Math.max(longest, now - last);
      last = now;
      await delay(PROBE_PAUSE_MS);
    }
  };
  const probes = probed.map(probe);
  await delay(SETTLE_MS);
  longest = 0;
  const before = servers[index]?.pid;
  process.kill(before ?? 0, 'SIGTERM');
  await until(() => ![before, undefined].includes(servers[index]?.pid), { timeoutMs: 60_000 });
  isBack = true;
  await allServe(platform);
  ending.abort();
  await Promise.all(probes);
  whenBack.push(longestBack);
  return longest;
}

async function warmUp({ cells, users }: Platform): Promise<void> {
  let turn = 0;
  await load({ inFlight: WARM_UP_IN_FLIGHT, durationMs: WARM_UP_S * 1_000 }, async () => {
    const n = turn++;
    const user = users[n % users.length] ?? '';
    await (n % 2 === 0 ? read(cells, user) : write(cells, user, n % 1_000));
  });
}

async function measure(
  platform: Platform,
  times: number,
  step: (platform: Platform, index: number) => Promise<number>,
): Promise<{ took: number[]; load: Load }> {
  const under = new Load(platform.cells, platform.users);
  const took: number[] = [];
  for (let n = 0; n < times; n++) took.push(await step(platform, n % NODES));
  await under.end();
  return { took: took.sort((a, b) => a - b), load: under };
}

function row(name: string, took: readonly number[], load: Load): string[] {
  const failed = [...load.failures.values()].reduce((sum, count) => sum + count, 0);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  return [
    name,
    String(took.length),
    ms(quantile(took, 0.5)),
    ms(took.at(-1) ?? 0),
    `${failed} of ${load.requests}`,
  ];
}

const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-failover-'));
await using resources = new AsyncDisposableStack();
resources.defer(() => rm(folder, { recursive: true, force: true }));
const zookeeper = await startZooKeeper();
resources.defer(() => zookeeper.close());
const hbase = await startHbase();
resources.defer(() => hbase.close());
await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: 'failover', regions: 8 });
const start = async (
  name: string,
  workload: string,
  env: Record<string, string>,
): Promise<{ child: Child; url: string }> => {
  const child = new Child({ name, workload, logFile: join(folder, `${name}.log`), onDeath: () => {} });
  resources.defer(() => child.stop());
  const { url } = await child.start(
    { CELLPOST_PLATFORM_TOKEN: TOKEN, CELLPOST_HTTP_PORT: '0', CELLPOST_LOG_LEVEL: 'warn', ...env },
    { http: 'CELLPOST_HTTP_PORT' },
  );
  return { child, url };
};
const { url: discoveryUrl } = await start('discovery', 'discovery', {
  CELLPOST_COORDINATION: zookeeper.url('/discovery'),
});
const started = await Promise.all(
  Array.from({ length: NODES }, (_, index) =>
    start(`a-${index}`, 'app-server', {
      CELLPOST_CELL: 'a',
      CELLPOST_NODE: `a-${index}`,
      CELLPOST_COORDINATION: zookeeper.url('/cells/a'),
      CELLPOST_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
      CELLPOST_LOG_STORE: `hbase://${hbase.master},${hbase.regionServer}/failover`,
      CELLPOST_BLOB_STORE: `file:${join(folder, 'blobs')}`,
    }),
  ),
);
const cells = await openCells({ discoveryUrl, token: TOKEN, logger: createLogger('bench', 'silent') });
resources.defer(() => cells.close());
await cells.putCell('a', { state: 'Enabled', dataCenter: 'here', coordination: zookeeper.url('/cells/a') });
await until(async () => (await cells.nodes()).length === NODES, {
  timeoutMs: 60_000,
  what: 'the app servers',
});
const users = await inParallel(
  Array.from({ length: USERS }, (_, n) => n),
  4,
  (n) =>
    cells.createUser({ addresses: [`user${n}@bench.test`], displayName: `User ${n}`, password: 'bench' }),
);
const platform: Platform = { cells, servers: started.map(({ child }) => child), users };
console.log(
  `${machine()}; ${NODES} app servers, ${USERS} users, ${REQUESTS_PER_SECOND} requests a second, half of them writes\n`,
);
await warmUp(platform);
const killed = await measure(platform, KILLS, kill);
const whenBack: number[] = [];
const left = await measure(platform, LEAVES, (all, index) => leave(all, index, whenBack));
whenBack.sort((a, b) => a - b);
console.log(
  table(
    ['', 'times', 'p50', 'longest', 'requests that failed'],
    [
      row('kill -9 until every user is served', killed.took, killed.load),
      row('planned leave, longest gap of a user', left.took, left.load),
      row('it is back, longest gap of a user', whenBack, left.load),
    ],
  ),
);
for (const { load } of [killed, left])
  for (const [kind, times] of load.failures) console.log(`failed ${times} times: ${kind}`);
