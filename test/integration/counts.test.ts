// Counts of unread messages with real processes: two data centers with a memcached and a service each, around one platform.
// Random writes and reads while memcached, the services and app servers are killed; then no count may differ from the log's.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTransport, type Transporter } from 'nodemailer';
import { z } from 'zod';
import { Child } from '../../embedded/child.ts';
import { readNote } from '../../embedded/home.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { freePort } from '../support/free-port.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { memcachedProgram, startMemcached, type Memcached } from '../support/memcached.ts';
import { openTestCells } from '../support/cells.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const USERS = 6;
const PASSWORD = 'secret word';
const ROUNDS = 3;
const STEPS = 40;
const WAIT = { timeoutMs: 60_000 };
/** Set it to have a run's random choices again. */
const SEED = Number(process.env.CELLPOST_TEST_SEED ?? Date.now() % 1_000_000);

const found = await memcachedProgram();
const skip = 'missing' in found ? found.missing : false;
const program = 'program' in found ? found.program : '';

const answer = z.object({
  counts: z.record(z.string(), z.object({ unread: z.number().int().min(0), seq: z.number().int() })),
  unknown: z.array(z.string()),
  unavailable: z.array(z.string()),
});
type Answer = z.infer<typeof answer>;
type DataCenter = { memcached: Memcached; service: Child; url: string };
type User = { id: string; address: string; jmap: JmapClient; inbox: string; emails: string[] };

let platform: PlatformUnderTest;
let transport: Transporter;
let folder: string;
let token: string;
const centers: DataCenter[] = [];
const users: User[] = [];
const random = generator(SEED);

before(async () => {
  if (skip) return;
  console.log(`CELLPOST_TEST_SEED=${SEED}`);
  folder = await mkdtemp(join(tmpdir(), 'cellpost-counts-'));
  platform = await startPlatform();
  transport = createTransport({ host: '127.0.0.1', port: platform.smtpPort, ignoreTLS: true });
  token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
  await using cells = await openTestCells(platform.home);
  for (let n = 0; n < USERS; n++) {
    const address = `c${n}@cellpost.test`;
    const id = await cells.createUser({ addresses: [address], displayName: '', password: PASSWORD });
    const jmap = await openJmap(platform.webUrl, address, PASSWORD);
    const [mailboxes] = await jmap.call(['Mailbox/get', { accountId: jmap.accountId }, '0']);
    const list = (mailboxes?.[1].list ?? []) as { id: string; role: string | null }[];
    users.push({ id, address, jmap, inbox: list.find(({ role }) => role === 'inbox')?.id ?? '', emails: [] });
  }
  for (const name of ['east', 'west']) centers.push(await startDataCenter(name));
});

after(async () => {
  for (const { service, memcached } of centers) {
    service.kill();
    await memcached.kill();
  }
  await platform?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function startDataCenter(name: string): Promise<DataCenter> {
  const memcached = await startMemcached(program, await freePort());
  const logFile = join(folder, `${name}.log`);
  const service = new Child({ name, workload: 'memcache-dirty', logFile, onDeath: () => undefined });
  const { url } = await service.start(
    {
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_PLATFORM_TOKEN: token,
      CELLPOST_DISCOVERY_URL: readNote(platform.home)?.discoveryUrl,
      CELLPOST_MEMCACHED: `127.0.0.1:${memcached.port}`,
    },
    { http: 'CELLPOST_HTTP_PORT' },
  );
  return { memcached, service, url };
}

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

async function counts(url: string, ids = users.map(({ id }) => id)): Promise<Answer | undefined> {
  try {
    const response = await fetch(`${url}/counts?users=${ids.join(',')}`, {
      headers: { authorization: bearer(token) },
    });
    return response.status === 200 ? answer.parse(await response.json()) : undefined;
  } catch (error) {
    if (error instanceof z.ZodError) throw error;
    return undefined;
  }
}

/** One change of a user's inbox; it may fail while servers die, and is then no change that counts. */
async function write(user: User, choice: number): Promise<void> {
  const { jmap, inbox, emails } = user;
  const email = emails[random(Math.max(1, emails.length))];
  const set = async (args: Record<string, unknown>): Promise<Record<string, unknown>> => {
    const [response] = await jmap.call(['Email/set', { accountId: jmap.accountId, ...args }, '0']);
    return response?.[1] ?? {};
  };
  if (email === undefined || choice < 5) {
    await transport.sendMail({ from: user.address, to: user.address, subject: 'x', text: 'x' });
    const filter = { inMailbox: inbox };
    const [response] = await jmap.call(['Email/query', { accountId: jmap.accountId, filter }, '0']);
    user.emails = (response?.[1].ids ?? []) as string[];
  } else if (choice < 8) await set({ update: { [email]: { 'keywords/$seen': choice < 7 ? true : null } } });
  else await set({ destroy: [email] });
}

async function truth(): Promise<Record<string, number>> {
  const entries = users.map(async ({ id, jmap, inbox }) => {
    const [response] = await jmap.call([
      'Mailbox/get',
      { accountId: jmap.accountId, ids: [inbox], properties: ['unreadEmails'] },
      '0',
    ]);
    const [mailbox] = (response?.[1].list ?? []) as { unreadEmails: number }[];
    return [id, mailbox?.unreadEmails ?? -1] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function unreadOf(said: Answer): Record<string, number> {
  return Object.fromEntries(users.map(({ id }) => [id, said.counts[id]?.unread ?? -1]));
}

/** Kills one of the processes; all but memcached are started again by who watches them. */
async function harm(choice: number): Promise<void> {
  const center = centers[random(centers.length)];
  if (!center) return;
  if (choice === 0) {
    const { port } = center.memcached;
    await center.memcached.kill();
    center.memcached = await startMemcached(program, port);
  } else if (choice === 1) {
    kill(center.service.pid);
  } else {
    const nodes = await platform.cellctl<{ pid: number; state: string }[]>('nodes');
    const node = nodes[random(nodes.length)];
    kill(node?.pid);
  }
}

/** One that has been killed already is not there. */
function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function hits(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    /^cellpost_memcache_dirty_cache_requests_total\{cache="counts",result="hit"\} (\d+)/m.exec(text)?.[1] ??
      0,
  );
}

test('It tells services only, and refuses what is no list of users', { skip }, async () => {
  const url = centers[0]?.url ?? '';
  assert.equal((await fetch(`${url}/counts?users=${users[0]?.id}`)).status, 401);
  const headers = { authorization: bearer(token) };
  for (const query of [
    '',
    '?users=',
    '?users=a/b',
    `?users=${Array.from({ length: 101 }, (_, n) => `u${n}`)}`,
  ])
    assert.equal((await fetch(`${url}/counts${query}`, { headers })).status, 400, query);
});

test('Counts are found in memcached, and a change is seen in every data center', { skip }, async () => {
  for (const { url } of centers) {
    const at = await hits(url);
    await until(async () => (await counts(url)) && (await hits(url)) >= at + USERS, {
      ...WAIT,
      what: 'hits',
    });
  }
  const [user] = users;
  assert.ok(user);
  await write(user, 0);
  const wanted = await truth();
  assert.equal(wanted[user.id], 1);
  for (const { url } of centers)
    await until(async () => (await counts(url))?.counts[user.id]?.unread === 1, { ...WAIT, what: url });
});

for (let round = 1; round <= ROUNDS; round++) {
  test(`Whatever dies meanwhile, no count stays wrong: round ${round}`, { skip }, async () => {
    for (let step = 0; step < STEPS; step++) {
      const user = users[random(users.length)];
      const center = centers[random(centers.length)];
      assert.ok(user && center);
      const work = [counts(center.url), write(user, random(10)).catch(() => undefined)];
      if (step % 10 === 5) work.push(harm(random(3)));
      await Promise.all(work);
    }
    await assertTrue(`round ${round}`);
    assert.ok(users.some(({ emails }) => emails.length > 0));
  });
}

/** All is quiet: each data center says what the logs say, from memcached too, and goes on saying it. */
async function assertTrue(what: string): Promise<void> {
  const wanted = await until(() => truth().catch(() => undefined), { ...WAIT, what: 'the truth' });
  const quietAt = performance.now();
  for (const { url } of centers) {
    let last: Answer | undefined;
    let wrongUntil = quietAt;
    const at = await until(() => hits(url).catch(() => undefined), { ...WAIT, what: 'the service' });
    await until(
      async () => {
        last = await counts(url);
        if (!last || last.unavailable.length > 0) return false;
        const isRight = users.every(({ id }) => last?.counts[id]?.unread === wanted[id]);
        if (!isRight) wrongUntil = performance.now();
        return isRight && (await hits(url).catch(() => 0)) >= at + USERS;
      },
      { ...WAIT, what: 'true counts' },
    ).catch((error: unknown) => {
      assert.deepEqual(last && unreadOf(last), wanted, `${what}: ${String(error)}`);
      throw error;
    });
    console.log(`${what}: wrong for ${Math.round(wrongUntil - quietAt)} ms after quiet`);
    assert.deepEqual(unreadOf((await counts(url)) ?? { counts: {}, unknown: [], unavailable: [] }), wanted);
  }
}
