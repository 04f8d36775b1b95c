// npm run bench:read: the newest 50 messages of mailboxes of 1,000, 14,000 and 220,000, from memory and after a cold open
// (nothing in the server's memory: no image, no message, a store just opened); a keyword change of the newest and of old
// messages; the counts; what idle users take of memory. Beside it Dovecot, asked over IMAP for the same page.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { createUser } from '../../workloads/app-server/logic/users.ts';
import { emailId, ordinal } from '../../workloads/app-server/image/ids.ts';
import { imageFold } from '../../workloads/app-server/image/fold.ts';
import type { Image } from '../../workloads/app-server/image/model.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { V8_FLAGS } from '../../workloads/common/v8-flags.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { parseMessage } from '../../workloads/common/mime/parser.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { machine, watchCpu } from './support/cpu.ts';
import { startDovecot } from './support/dovecot.ts';
import { alternate, load, median, quantile, type Measured } from './support/measure.ts';
import { treeCpuSeconds } from './support/processes.ts';
import type { FromReadServer, ToReadServer } from './support/read-messages.ts';
import { table } from './support/table.ts';

const SIZES = (/^--messages=(.*)$/m.exec(process.argv.join('\n'))?.[1] ?? '1000,14000,220000')
  .split(',')
  .map(Number);
const PAGE = 50;
const ROUNDS = 3;
const ROUND_MS = 2_000;
const COLD_OPENS = 30;
const CHANGES = 200;
/** One in so many messages is unread. */
const UNREAD_SHARE = 7;
const IDLE_USERS = 10_000;
const IDLE_MESSAGES = 100;
/** A user of a few messages, in whose place others are forgotten. */
const OTHER = 'uother'.padEnd(16, 'a');
const OTHER_MESSAGES = 10;
const TOKEN = 'a token for benchmarks';
const NEWEST_MS = Date.UTC(2026, 10, 23);
/** Writes under way while mailboxes are filled. */
const FILL_AHEAD = 512;

const onHbase = process.argv.includes('--hbase');
const withIdle = !process.argv.includes('--no-idle');

function mail(user: string, number: number): Buffer {
  return Buffer.from(
    `From: Sender ${number % 97} <sender${number % 97}@example.org>\r\nTo: ${user}@cellpost.test\r\n` +
      `Subject: Message ${number} about the usual things\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n` +
      `Message-ID: <${user}.${number}@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n` +
      `Dear ${user},\r\n\r\n${'A line of text as people write them, more or less. '.repeat(12)}\r\n`,
  );
}

const timeOf = (number: number, count: number): number => NEWEST_MS - (count - number) * 60_000;

/** Writes a user's log as if all of it had come by mail. */
async function fill(store: LogStore, user: string, count: number): Promise<void> {
  const key = userKey(user);
  const under: Promise<unknown>[] = [];
  const append = async (seq: number, actions: readonly Action[], bodies: Uint8Array[]): Promise<void> => {
    const writer = { server: 'filler', session: 'one', number: seq };
    under.push(store.append(key, seq, entryCodec.encode({ timeMs: NEWEST_MS, writer, actions }), bodies));
    if (under.length >= FILL_AHEAD) await Promise.all(under.splice(0));
  };
  await append(1, creation(user), []);
  if (onHbase) await Promise.all(under.splice(0));
  for (let number = 1; number <= count; number++) {
    const bytes = mail(user, number);
    const added: Action = {
      type: 'messageAdded',
      mailboxIds: ['m1-2'],
      keywords: number % UNREAD_SHARE === 0 ? [] : ['$seen'],
      receivedAtMs: timeOf(number, count),
      sizeBytes: bytes.length,
      deliveryKey: `${user} ${number}`,
      envelope: { mailFrom: 'sender@example.org', rcptTo: [`${user}@cellpost.test`] },
      channel: 'email',
      message: parseMessage(bytes),
      body: { kind: 'inline', index: 0 },
      threadId: '',
    };
    await append(number + 1, [added], [bytes]);
  }
  await Promise.all(under);
}

function creation(userId: string): Action[] {
  const actions: Action[] = [];
  let state: Image = imageFold.empty(userKey(userId));
  createUser(
    {
      get state() {
        return state;
      },
      seq: 1,
      timeMs: 0,
      add(action) {
        const at = { seq: 1, timeMs: 0, index: actions.push(action) - 1 };
        state = imageFold.apply(state, action, at);
        return at;
      },
      addBody: () => 0,
    },
    'a',
    { userId, addresses: [`${userId}@cellpost.test`], displayName: userId },
    { salt: new Uint8Array(16), hash: new Uint8Array(32), n: 16_384, r: 8, p: 1 },
  );
  return actions;
}

class Server {
  readonly child: ChildProcess;
  readonly #pool: Pool;

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.#pool = new Pool(url, { connections: 16, headersTimeout: 120_000 });
  }

  static async start(store: string, folder: string): Promise<Server> {
    const child = fork(new URL('read-server.ts', import.meta.url), {
      execArgv: ['--expose-gc', ...V8_FLAGS],
      env: { ...process.env, BENCH_STORE: store, BENCH_BLOBS: `file:${folder}/blobs`, BENCH_TOKEN: TOKEN },
    });
    const [ready] = (await once(child, 'message')) as [FromReadServer];
    if (ready.kind !== 'ready') throw new Error('the server did not start');
    return new Server(child, ready.url);
  }

  async ask<K extends FromReadServer['kind']>(
    message: ToReadServer,
  ): Promise<Extract<FromReadServer, { kind: K }>> {
    const answer = once(this.child, 'message');
    this.child.send(message);
    const [value] = (await answer) as [Extract<FromReadServer, { kind: K }>];
    return value;
  }

  async jmap(user: string, methodCalls: unknown[]): Promise<[string, Record<string, unknown>][]> {
    const { statusCode, body } = await this.#pool.request({
      path: `/users/${user}/jmap/api`,
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'],
        methodCalls,
      }),
    });
    const answer = (await body.json()) as { methodResponses: [string, Record<string, unknown>][] };
    const failed = answer.methodResponses?.find(([name]) => name === 'error');
    if (statusCode !== 200 || failed) throw new Error(`${statusCode} ${JSON.stringify(failed ?? answer)}`);
    return answer.methodResponses;
  }

  /** The newest messages, as a client lists them. */
  async page(user: string): Promise<string[]> {
    const accountId = user;
    const responses = await this.jmap(user, [
      [
        'Email/query',
        {
          accountId,
          filter: { inMailbox: 'm1-2' },
          sort: [{ property: 'receivedAt', isAscending: false }],
          limit: PAGE,
          calculateTotal: true,
        },
        'q',
      ],
      [
        'Email/get',
        {
          accountId,
          '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
          properties: [
            'id',
            'threadId',
            'mailboxIds',
            'keywords',
            'from',
            'subject',
            'receivedAt',
            'preview',
          ],
        },
        'g',
      ],
    ]);
    const list = responses[1]?.[1].list as { id: string }[];
    if (list.length !== PAGE) throw new Error(`${list.length} messages`);
    return list.map(({ id }) => id);
  }

  async flag(user: string, id: string, on: boolean): Promise<void> {
    const update = { [id]: { 'keywords/$flagged': on ? true : null } };
    const [[, answer] = ['', {}]] = await this.jmap(user, [['Email/set', { accountId: user, update }, 's']]);
    if (!(answer.updated as object | null)) throw new Error(JSON.stringify(answer));
  }

  /** @throws when the count of unread messages is another */
  async counts(user: string, unread: number): Promise<void> {
    const [[, answer] = ['', {}]] = await this.jmap(user, [
      ['Mailbox/get', { accountId: user, ids: ['m1-2'], properties: ['unreadEmails'] }, 'm'],
    ]);
    const [mailbox] = answer.list as { unreadEmails: number }[];
    if (mailbox?.unreadEmails !== unread) throw new Error(`${mailbox?.unreadEmails} unread, not ${unread}`);
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    await this.#pool.close();
    this.child.send({ kind: 'close' } satisfies ToReadServer);
    await exited;
  }
}

async function timed(times: number, run: (n: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const began = performance.now();
    await run(n);
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b);
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
const percentiles = (times: number[]): string => `${ms(quantile(times, 0.5))} / ${ms(quantile(times, 0.99))}`;

/** Times each of some calls on a server that knows nothing of the user. */
async function cold(server: Server, run: (n: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < COLD_OPENS; n++) {
    await server.ask({ kind: 'forget' });
    // Connections and routes: what is measured is the user's log.
    await server.jmap(OTHER, [['Mailbox/get', { accountId: OTHER }, 'm']]);
    took.push(...(await timed(1, () => run(n))));
  }
  return took.sort((a, b) => a - b);
}

/** The message that came as the `number`th. */
const idOf = (number: number): string => emailId(ordinal({ seq: number + 1, index: 0 }));

async function sizes(server: Server, users: readonly string[]): Promise<void> {
  const rows: string[][] = [];
  const openings: number[][] = [];
  for (const [index, user] of users.entries()) {
    const count = SIZES[index] ?? 0;
    const unread = Math.floor(count / UNREAD_SHARE);
    const any = (): string => idOf(1 + Math.floor(Math.random() * count));
    const [newest = ''] = await server.page(user);
    await timed(50, () => server.page(user));
    const warm = await timed(200, () => server.page(user));
    const change = await timed(CHANGES, (n) => server.flag(user, newest, n % 2 === 0));
    const old = await timed(CHANGES, () => server.flag(user, any(), true));
    const counts = await timed(CHANGES, () => server.counts(user, unread));
    const opens = [
      await cold(server, () => server.page(user)),
      await cold(server, () => server.flag(user, any(), true)),
      await cold(server, () => server.counts(user, unread)),
    ];
    openings.push(opens.map((times) => quantile(times, 0.5)));
    rows.push([count.toLocaleString('en'), ...[warm, change, old, counts, ...opens].map(percentiles)]);
  }
  const columns = ['page of 50', 'change newest', 'change old', 'counts'];
  const coldColumns = ['page, cold', 'change old, cold', 'counts, cold'];
  console.log('One client, time in ms, p50 / p99:\n');
  console.log(table(['messages', ...columns, ...coldColumns], rows));
  const ratios = coldColumns.map(
    (name, n) => `${name} ${((openings.at(-1)?.[n] ?? 0) / (openings[0]?.[n] ?? 1)).toFixed(2)} x`,
  );
  const grown = ((SIZES.at(-1) ?? 0) / (SIZES[0] ?? 1)).toFixed(0);
  console.log(`\nlargest to smallest, at ${grown} x the messages: ${ratios.join(', ')}`);
}

async function besideDovecot(server: Server, users: readonly string[]): Promise<void> {
  const dovecot = await startDovecot();
  try {
    const rows: string[][] = [];
    for (const [index, user] of users.entries()) {
      const count = SIZES[index] ?? 0;
      await dovecot.fill(user, mails(user, count));
      const connections = await Promise.all(Array.from({ length: 4 }, () => dovecot.open(user)));
      for (const connection of connections) await connection.command('SELECT INBOX');
      const fetch = `FETCH ${count - PAGE + 1}:${count} (UID FLAGS INTERNALDATE ENVELOPE PREVIEW)`;
      const contenders = {
        cellpost: () =>
          perCore(
            () => Promise.resolve(watchCpu({ server: [server.child.pid ?? 0] })),
            (cpu) => Promise.resolve(cpu().server / 100),
            () => server.page(user),
          ),
        dovecot: async () => {
          let before = 0;
          let began = 0;
          return perCore(
            async () => {
              before = await treeCpuSeconds(dovecot.pid);
              began = performance.now();
            },
            async () => ((await treeCpuSeconds(dovecot.pid)) - before) / ((performance.now() - began) / 1000),
            (worker) => connections[worker]?.command(fetch) ?? Promise.resolve(),
          );
        },
      };
      const results = await alternate<PerCore>(ROUNDS, contenders);
      const of = (name: string, pick: (one: PerCore) => number): number =>
        median((results[name] ?? []).map(pick));
      const own = of('cellpost', (one) => one.perCore);
      const theirs = of('dovecot', (one) => one.perCore);
      rows.push([
        count.toLocaleString('en'),
        of('cellpost', (one) => one.load.perSecond).toFixed(0),
        own.toFixed(0),
        of('dovecot', (one) => one.load.perSecond).toFixed(0),
        theirs.toFixed(0),
        (own / theirs).toFixed(2),
      ]);
      for (const connection of connections) connection.close();
    }
    console.log(`\nFour clients, pages of ${PAGE}: requests a second, and a core's second of the server:\n`);
    console.log(
      table(['messages', 'JMAP/s', 'JMAP/core', 'IMAP/s', 'IMAP/core', 'Cellpost : Dovecot'], rows),
    );
  } finally {
    await dovecot.close();
  }
}

type PerCore = { load: Measured; perCore: number };

async function perCore<T>(
  begin: () => Promise<T>,
  cores: (begun: T) => Promise<number>,
  call: (worker: number) => Promise<unknown>,
): Promise<PerCore> {
  const begun = await begin();
  const result = await load({ inFlight: 4, durationMs: ROUND_MS }, call);
  return { load: result, perCore: result.perSecond / (await cores(begun)) };
}

function* mails(user: string, count: number): Generator<{ bytes: Uint8Array; timeMs: number }> {
  for (let number = 1; number <= count; number++)
    yield { bytes: mail(user, number), timeMs: timeOf(number, count) };
}

async function idleMemory(store: LogStore, server: Server, large: string): Promise<void> {
  const users = Array.from({ length: IDLE_USERS }, (_, n) => `uidle${n}`.padEnd(16, 'a'));
  for (const user of users) await fill(store, user, IDLE_MESSAGES);
  await server.ask({ kind: 'forget' });
  const before = await server.ask<'memory'>({ kind: 'memory' });
  // Goes over all of it; what it leaves in memory is what an image keeps while nobody asks.
  const filter = { hasKeyword: '$answered' };
  await server.jmap(large, [['Email/query', { accountId: large, filter, limit: 1 }, 'q']]);
  await server.page(large);
  const one = await server.ask<'memory'>({ kind: 'memory' });
  await inParallel(users, 8, (user) => server.jmap(user, [['Mailbox/get', { accountId: user }, 'm']]));
  const all = await server.ask<'memory'>({ kind: 'memory' });
  const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
  console.log(`\n${all.open.toLocaleString('en')} idle users open, most of ${IDLE_MESSAGES} messages:`);
  console.log(
    `${kib((all.liveBytes - one.liveBytes) / IDLE_USERS)} KiB a user live, ` +
      `${kib((all.residentBytes - one.residentBytes) / IDLE_USERS)} KiB resident; ` +
      `one of ${SIZES.at(-1)?.toLocaleString('en')}: ${kib(one.liveBytes - before.liveBytes)} KiB live`,
  );
}

/** @returns the URL of a log store in a new table */
async function hbaseTable({ master, regionServer, restUrl }: Hbase): Promise<string> {
  await ensureSchema({ restUrl, master, table: 'read', regions: 8 });
  return `hbase://${master},${regionServer}/read`;
}

const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-read-'));
const hbase = onHbase ? await startHbase() : undefined;
try {
  const storeUrl = hbase ? await hbaseTable(hbase) : `sqlite:${join(folder, 'log.db')}`;
  console.log(`${machine()}; log in ${hbase ? 'HBase' : 'SQLite'}\n`);
  const store = await openLogStore(storeUrl);
  const users = SIZES.map((_, n) => `ubench${n}`.padEnd(16, 'a'));
  for (const [index, user] of users.entries()) await fill(store, user, SIZES[index] ?? 0);
  await fill(store, OTHER, OTHER_MESSAGES);
  const server = await Server.start(storeUrl, folder);
  try {
    await sizes(server, users);
    await besideDovecot(server, users);
    if (withIdle) await idleMemory(store, server, users.at(-1) ?? '');
  } finally {
    await server.stop();
    await store.close();
  }
} finally {
  await hbase?.close();
  await rm(folder, { recursive: true, force: true });
}
