// Counts with real processes: two data centers around one platform, each with a memcached, one with two replicas of the service.
// Random writes and reads while memcached, its network, the services, app servers, discovery and the servers' coordination die,
// stop and slow down; then no count may differ from the log's.
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createTransport, type Transporter } from 'nodemailer';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { memcachedProgram } from '../support/memcached.ts';
import { until } from '../support/wait.ts';
import { startKillablePlatform, type KillablePlatform } from './killable-platform.ts';
import { DataCenter, signal, stopFor, type Answer, type Replica } from './data-centers.ts';

const USERS = 6;
const PASSWORD = 'secret word';
const ROUNDS = 4;
const STEPS = 30;
const HARM_EVERY = 8;
const WAIT = { timeoutMs: 60_000 };
/** A count may be wrong for so long after all is quiet. */
const STALE_MS = 1_000;
/** So long answers are looked at after all is quiet, and at least until all of them come from memcached. */
const WATCH_MS = 1_500;
/** Set it to have a run's random choices again. */
const SEED = Number(process.env.CELLPOST_TEST_SEED ?? Date.now() % 1_000_000);

const found = await memcachedProgram();
const skip = 'missing' in found ? found.missing : false;
const program = 'program' in found ? found.program : '';

type Numbers = Record<string, { unread: number; unseen: number }>;
type User = { id: string; address: string; jmap: JmapClient; inbox: string; emails: string[] };

let platform: KillablePlatform;
let transport: Transporter;
const centers: DataCenter[] = [];
const replicas = (): Replica[] => centers.flatMap((center) => center.replicas);
const users: User[] = [];
const random = generator(SEED);

before(async () => {
  if (skip) return;
  console.log(`CELLPOST_TEST_SEED=${SEED}`);
  platform = await startKillablePlatform();
  transport = createTransport({ host: '127.0.0.1', port: platform.smtpPort, ignoreTLS: true });
  const { cells } = platform;
  for (let n = 0; n < USERS; n++) {
    const address = `c${n}@cellpost.test`;
    const id = await cells.createUser({ addresses: [address], displayName: '', password: PASSWORD });
    const jmap = await openJmap(platform.webUrl, address, PASSWORD);
    const [mailboxes] = await jmap.call(['Mailbox/get', { accountId: jmap.accountId }, '0']);
    const list = (mailboxes?.[1].list ?? []) as { id: string; role: string | null }[];
    users.push({ id, address, jmap, inbox: list.find(({ role }) => role === 'inbox')?.id ?? '', emails: [] });
  }
  for (const [name, count] of Object.entries({ east: 2, west: 1 }))
    centers.push(await DataCenter.start(platform, { name, program, replicas: count }));
});

after(async () => {
  await Promise.all(centers.map((center) => center.close()));
  await platform?.[Symbol.asyncDispose]();
});

/** mulberry32: the same numbers for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function one<T>(list: readonly T[]): T {
  return list[random(list.length)] as T;
}

const ids = (): string[] => users.map(({ id }) => id);

/** One change of a user's inbox; it may fail while servers die, and is then no change that counts. */
async function write(user: User, choice: number): Promise<void> {
  const { jmap, inbox, emails } = user;
  const { accountId } = jmap;
  const email = emails[random(Math.max(1, emails.length))];
  if (email === undefined || choice < 4) {
    await transport.sendMail({ from: user.address, to: user.address, subject: 'x', text: 'x' });
    const [response] = await jmap.call(['Email/query', { accountId, filter: { inMailbox: inbox } }, '0']);
    user.emails = (response?.[1].ids ?? []) as string[];
  } else if (choice < 7) {
    const update = { [email]: { 'keywords/$seen': choice < 6 ? true : null } };
    await jmap.call(['Email/set', { accountId, update }, '0']);
  } else if (choice < 8) await jmap.call(['Email/set', { accountId, destroy: [email] }, '0']);
  else await jmap.call(['Counts/set', { accountId, update: { singleton: { unseen: 0 } } }, '0']);
}

/** What the users' app servers say. */
async function truth(): Promise<Numbers> {
  const entries = users.map(async ({ id, jmap }) => {
    const [response] = await jmap.call(['Counts/get', { accountId: jmap.accountId, ids: null }, '0']);
    const [counts] = (response?.[1].list ?? []) as Numbers[string][];
    const { unread, unseen } = counts ?? { unread: -1, unseen: -1 };
    return [id, { unread, unseen }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function numbersOf(said: Answer): Numbers {
  return Object.fromEntries(
    Object.entries(said.counts).map(([id, { unread, unseen }]) => [id, { unread, unseen }]),
  );
}

const isSame = (wanted: Numbers, said: Numbers, id: string): boolean =>
  wanted[id]?.unread === said[id]?.unread && wanted[id]?.unseen === said[id]?.unseen;

const appServerPid = (): number | undefined => one(platform.appServers).pid;

/** Away for a while, then back with what it had. */
async function forAWhile(begin: () => () => void): Promise<void> {
  const end = begin();
  await pause(200 + random(900));
  end();
}

/** All that may happen to a data center and what it hears of; each resolves when it is over. */
const HARMS: ((center: DataCenter) => Promise<void>)[] = [
  (center) => center.restartMemcached(),
  (center) => forAWhile(() => center.cutMemcached()),
  (center) => forAWhile(() => center.silenceMemcached()),
  (center) => forAWhile(() => center.stopMemcached()),
  (center) => forAWhile(() => center.farMemcached()),
  async (center) => one(center.replicas).kill(),
  async (center) => center.replicas.forEach((replica) => replica.kill()),
  (center) => one(center.replicas).stopFor(200 + random(900)),
  async () => signal(appServerPid(), 'SIGKILL'),
  // Longer than its lease, sometimes: others take its users over meanwhile.
  () => stopFor(appServerPid(), 300 + random(2_500)),
  async () => signal(platform.discovery.pid, 'SIGKILL'),
  () => stopFor(platform.discovery.pid, 300 + random(2_500)),
  restartCoordination,
  () => forAWhile(stopCoordination),
];

/** Sessions outlive that in ZooKeeper, if it is soon enough; in the embedded coordinator they never do. */
async function restartCoordination(): Promise<void> {
  await platform.coordination.kill();
  await pause(200 + random(900));
  await platform.coordination.restart();
}

function stopCoordination(): () => void {
  platform.coordination.signal('SIGSTOP');
  return () => platform.coordination.signal('SIGCONT');
}

test('It tells services only, and refuses what is no list of users', { skip }, async () => {
  const url = replicas()[0]?.url ?? '';
  assert.equal((await fetch(`${url}/counts?users=${users[0]?.id}`)).status, 401);
  const headers = { authorization: bearer(platform.token) };
  for (const query of [
    '',
    '?users=',
    '?users=a/b',
    `?users=${Array.from({ length: 101 }, (_, n) => `u${n}`)}`,
  ])
    assert.equal((await fetch(`${url}/counts${query}`, { headers })).status, 400, query);
});

/** Each count of the next answers comes from memcached. */
async function untilAllHit(replica: Replica): Promise<void> {
  const at = await replica.hits();
  await until(async () => (await replica.counts(ids())) && (await replica.hits()) >= at + USERS, {
    ...WAIT,
    what: 'hits',
  });
}

test(
  'Counts are found in memcached, and a change is seen in every data center, by each replica',
  { skip },
  async () => {
    const [user] = users;
    assert.ok(user);
    for (const replica of replicas()) await untilAllHit(replica);
    await write(user, 0);
    assert.deepEqual((await truth())[user.id], { unread: 1, unseen: 1 });
    for (const replica of replicas())
      await until(async () => (await replica.counts(ids()))?.counts[user.id]?.unread === 1, {
        ...WAIT,
        what: replica.url,
      });
  },
);

const AWAY: [string, (center: DataCenter) => () => void | Promise<void>][] = [
  ['was cut off', (center) => center.cutMemcached()],
  ['had stopped', (center) => center.stopMemcached()],
  [
    'was cut off while its service was started anew',
    (center) => {
      const end = center.cutMemcached();
      center.replicas.forEach((replica) => replica.kill());
      return end;
    },
  ],
];
for (const [how, takeAway] of AWAY) {
  test(`A memcached that ${how} comes back with old counts, and none of them is told`, { skip }, async () => {
    const [user] = users;
    const [center] = centers;
    assert.ok(user && center);
    for (const replica of center.replicas) await untilAllHit(replica);
    const comeBack = takeAway(center);
    await write(user, 0);
    const wanted = await truth();
    const asked = async (replica: Replica): Promise<boolean> => {
      const said = await replica.counts(ids());
      return said !== undefined && isSame(wanted, numbersOf(said), user.id);
    };
    for (const replica of center.replicas)
      await until(() => asked(replica), { ...WAIT, what: 'the app servers to be asked' });
    await comeBack();
    const backAt = performance.now();
    const watch = async (replica: Replica): Promise<void> => {
      const at = await replica.hits();
      while (performance.now() - backAt < STALE_MS || (await replica.hits()) < at + USERS) {
        assert.ok(
          await asked(replica),
          `an old count ${Math.round(performance.now() - backAt)} ms after it was back`,
        );
        assert.ok(performance.now() - backAt < WAIT.timeoutMs, 'memcached is used again');
      }
    };
    await Promise.all(center.replicas.map(watch));
  });
}

const plan = HARMS.map((harm) => ({ harm, order: random(1_000_000) }))
  .toSorted((a, b) => a.order - b.order)
  .map(({ harm }) => harm);

for (let round = 1; round <= ROUNDS; round++) {
  test(`Whatever happens meanwhile, no count stays wrong: round ${round}`, { skip }, async () => {
    const harms: Promise<void>[] = [];
    for (let step = 0; step < STEPS; step++) {
      const harm = step % HARM_EVERY === 5 ? plan.pop() : undefined;
      if (harm) harms.push(harm(one(centers)));
      await Promise.all([
        one(replicas()).counts(ids()),
        write(one(users), random(10)).catch(() => undefined),
        write(one(users), random(10)).catch(() => undefined),
      ]);
    }
    await Promise.all(harms);
    await assertTrue(`round ${round}`);
    assert.ok(users.some(({ emails }) => emails.length > 0));
  });
}

/**
 * All is quiet from now on: each replica says what the logs say within a second, from memcached too, and goes on saying it. An
 * answer is as old as its question: so it is the service that is judged, not how soon this process reads. What the
 * machine takes from the service it takes from this process, too: the longest pause of its event loop is allowed
 * for, twice, as a change goes through two processes.
 */
async function assertTrue(what: string): Promise<void> {
  const quietAt = performance.now();
  const pauses = monitorEventLoopDelay({ resolution: 5 });
  pauses.enable();
  let wanted: Numbers | undefined;
  const asking = until(() => truth().catch(() => undefined), { ...WAIT, what: 'the truth' }).then(
    (numbers) => (wanted = numbers),
  );
  const wrongForMs = await Promise.all(
    replicas().map(async (replica) => {
      const seen: { afterMs: number; said: Numbers; isWhole: boolean }[] = [];
      let at: number | undefined;
      await until(
        async () => {
          const afterMs = performance.now() - quietAt;
          const said = await replica.counts(ids());
          if (said)
            seen.push({ afterMs, said: numbersOf(said), isWhole: Object.keys(said.counts).length === USERS });
          const hits = await replica.hits();
          if (!wanted || afterMs < WATCH_MS || !seen.at(-1)?.isWhole) return false;
          at = at === undefined || hits < at ? hits : at;
          return hits >= at + USERS;
        },
        { ...WAIT, what: 'counts from memcached', intervalMs: 10 },
      );
      const { numbers } = { numbers: await asking };
      assert.deepEqual(seen.at(-1)?.said, numbers, `${what}: ${replica.url}`);
      const wrong = seen.filter(({ said }) => Object.keys(said).some((id) => !isSame(numbers, said, id)));
      return wrong.at(-1)?.afterMs ?? 0;
    }),
  );
  pauses.disable();
  const allowedMs = STALE_MS + 2 * (pauses.max / 1e6);
  console.log(`${what}: wrong for ${wrongForMs.map(Math.round).join(', ')} ms of ${Math.round(allowedMs)}`);
  assert.ok(Math.max(...wrongForMs) <= allowedMs, `${what}: stale for too long`);
}
