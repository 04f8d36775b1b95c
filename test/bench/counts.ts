// npm run bench:counts: home pages that show the counts of 100 people each, at a fixed rate, while inboxes change: from memcached by
// the counts service, and in turns from the app servers themselves. Two cells of two app servers, logs in SQLite.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'undici';
import { readNote } from '../../embedded/home.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { parseMessage } from '../../workloads/common/mime/parser.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { openTestCells } from '../support/cells.ts';
import { freePort } from '../support/free-port.ts';
import { memcachedProgram, startMemcached } from '../support/memcached.ts';
import { startPlatform } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { machine, watchCpu } from './support/cpu.ts';
import { HttpConnection } from './support/http-connection.ts';
import { alternate, atRate, median, type AtRate } from './support/measure.ts';
import { readMetrics } from './support/prometheus.ts';
import { table } from './support/table.ts';

const option = (name: string, otherwise: number): number =>
  Number(new RegExp(`^--${name}=(\\d+)$`, 'm').exec(process.argv.join('\n'))?.[1] ?? otherwise);
const USERS = option('users', 1_000);
const PAGES_PER_SECOND = option('rate', 100);
const WRITES_PER_SECOND = option('writes', 200);
const ROUNDS = option('rounds', 3);
const ROUND_MS = option('seconds', 8) * 1_000;
/** People on a home page. */
const PEOPLE = 100;
const CONNECTIONS = 16;
/** Passwords are hashed: some at once keep the processors busy. */
const CREATED_AT_ONCE = 8;
const DEADLINE_MS = 30_000;
const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail', 'urn:cellpost:delivery'];

const found = await memcachedProgram();
if ('missing' in found) throw new Error(found.missing);
const memcached = await startMemcached(found.program, await freePort());
await using resources = new AsyncDisposableStack();
resources.defer(() => memcached.kill());
const platform = await startPlatform({
  CELLPOST_MEMCACHED: `127.0.0.1:${memcached.port}`,
  // Nobody dies here, and a busy machine is not to look like it.
  CELLPOST_SESSION_TIMEOUT_MS: '10000',
});
resources.use(platform);
const token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
const countsUrl = readNote(platform.home)?.countsUrl ?? '';
const cells = resources.use(await openTestCells(platform.home));

/** One call as a service. @returns the arguments of its response */
async function jmap(user: string, name: string, args: object): Promise<Record<string, unknown>> {
  const response = await cells.request(userKey(user), {
    method: 'POST',
    path: `/users/${user}/jmap/api`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ using: USING, methodCalls: [[name, { accountId: user, ...args }, '0']] }),
    idempotent: true,
    deadlineMs: DEADLINE_MS,
  });
  const answer = (await response.json()) as { methodResponses?: [string, Record<string, unknown>][] };
  const [result] = answer.methodResponses ?? [];
  if (result?.[0] !== name) throw new Error(JSON.stringify(answer).slice(0, 200));
  return result[1];
}

process.stdout.write(`${machine()}; ${USERS} users\n`);
const users: { id: string; emailId: string; isSeen: boolean }[] = [];
await inParallel(
  Array.from({ length: USERS }, (_, n) => n),
  CREATED_AT_ONCE,
  async (n) => {
    const address = `person${n}@cellpost.test`;
    const id = await cells.createUser({ addresses: [address], displayName: '', password: 'secret word' });
    const bytes = Buffer.from(`From: a@example.org\r\nTo: ${address}\r\nSubject: Hello\r\n\r\nHello.\r\n`);
    const { emailId } = await jmap(id, 'Delivery/deliver', {
      deliveryKey: `first of ${n}`,
      receivedAt: new Date().toISOString(),
      envelope: { mailFrom: 'a@example.org', rcptTo: [address] },
      channel: 'email',
      message: parseMessage(bytes),
      body: { base64: bytes.toString('base64') },
    });
    users.push({ id, emailId: String(emailId), isSeen: false });
  },
);

const anyUser = (): (typeof users)[number] =>
  users[Math.floor(Math.random() * users.length)] as (typeof users)[number];
const people = (): string[] => Array.from({ length: PEOPLE }, () => anyUser().id);

/** Somebody reads a message, or marks it as unread. */
async function write(): Promise<void> {
  const user = anyUser();
  user.isSeen = !user.isSeen;
  await jmap(user.id, 'Email/set', { update: { [user.emailId]: { 'keywords/$seen': user.isSeen || null } } });
}

const service = Array.from(
  { length: CONNECTIONS },
  () => new HttpConnection(Number(new URL(countsUrl).port), bearer(token)),
);
resources.defer(() => service.forEach((connection) => connection.close()));
let turn = 0;
async function fromService(): Promise<void> {
  const connection = service[turn++ % CONNECTIONS] as HttpConnection;
  const { unavailable } = JSON.parse(await connection.get(`/counts?users=${people().join(',')}`));
  if (unavailable.length > 0) throw new Error('an app server does not answer');
}

const servers = new Map<string, Pool>();
resources.defer(async () => void (await Promise.all([...servers.values()].map((pool) => pool.close()))));
/** As the service asks them: one request for all people of an app server; whoever has just moved is asked for again. */
async function fromAppServers(ids: readonly string[] = people()): Promise<void> {
  const byUrl = new Map<string, string[]>();
  for (const id of ids) {
    const { url } = await cells.where(userKey(id));
    byUrl.set(url, [...(byUrl.get(url) ?? []), id]);
  }
  await Promise.all(
    [...byUrl].map(async ([url, theirs]) => {
      const pool = servers.get(url) ?? new Pool(url, { connections: CONNECTIONS });
      servers.set(url, pool);
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/counts',
        headers: { authorization: bearer(token), 'content-type': 'application/json' },
        body: JSON.stringify({ users: theirs }),
      });
      const answer = (await body.json()) as { elsewhere?: string[] };
      // Asked for one that is elsewhere it answers 421.
      if (statusCode !== 200 && statusCode !== 421) throw new Error(`it answers ${statusCode}`);
      const again = statusCode === 421 ? theirs : (answer.elsewhere ?? []);
      if (again.length > 0) await fromAppServers(again);
    }),
  );
}

const nodes = await platform.cellctl<{ pid: number }[]>('nodes');
type Round = AtRate & { hitRate: number; appServersCpu: number };

async function round(ask: () => Promise<void>): Promise<Round> {
  const lookups = async (result: string): Promise<number> =>
    (await readMetrics(`${countsUrl}/metrics`)).sum('cellpost_memcache_dirty_cache_requests_total', {
      cache: 'counts',
      result,
    });
  const before = [await lookups('hit'), await lookups('miss')] as const;
  const cpu = watchCpu({ appServers: nodes.map(({ pid }) => pid) });
  const [asked] = await Promise.all([
    atRate({ ratePerSecond: PAGES_PER_SECOND, durationMs: ROUND_MS }, ask),
    atRate({ ratePerSecond: WRITES_PER_SECOND, durationMs: ROUND_MS }, write),
  ]);
  const { appServers } = cpu();
  const [hits, misses] = [(await lookups('hit')) - before[0], (await lookups('miss')) - before[1]];
  return { ...asked, appServersCpu: appServers, hitRate: hits / Math.max(1, hits + misses) };
}

await until(async () => (await fetch(`${countsUrl}/readyz`)).status === 200, {
  timeoutMs: DEADLINE_MS,
  what: 'the counts service',
});
const results = await alternate(ROUNDS, {
  'counts service, memcached': () => round(fromService),
  'app servers, POST /counts': () => round(() => fromAppServers()),
});
const rows = Object.entries(results).map(([name, rounds], index) => [
  name,
  median(rounds.map(({ fromDue }) => fromDue.perSecond)),
  median(rounds.map(({ fromDue }) => fromDue.p50Ms)),
  median(rounds.map(({ fromDue }) => fromDue.p99Ms)),
  Math.max(...rounds.map(({ fromDue }) => fromDue.maxMs)),
  median(rounds.map(({ late }) => late.p99Ms)),
  index === 0 ? `${(median(rounds.map(({ hitRate }) => hitRate)) * 100).toFixed(1)} %` : '-',
  median(rounds.map(({ appServersCpu }) => appServersCpu)),
]);
process.stdout.write(
  `\n${PAGES_PER_SECOND} pages of ${PEOPLE} people a second, ${WRITES_PER_SECOND} changes a second; medians of ${ROUNDS} rounds of ${ROUND_MS / 1_000} s\n\n`,
);
process.stdout.write(
  `${table(['counts from', 'pages/s', 'p50, ms', 'p99, ms', 'max, ms', "asker's own delay p99, ms", 'hits', 'CPU of the app servers, %'], rows)}\n`,
);
