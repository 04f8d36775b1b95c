// `npm run bench:append`: durable appends of 1 KiB entries through the append path of one app server process, beside the raw
// client of its store, in alternating rounds of one run: first a real one-node HBase that syncs its log to the disk
// (hbase.wal.hsync=true), then SQLite (synchronous=FULL). `--only hbase|sqlite`, `--regions N` of the table
// in HBase, `--profile FOLDER` (of the app server).
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { V8_FLAGS } from '../../workloads/common/v8-flags.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase } from '../real/hbase.ts';
import type { AppendWork, FromAppendProcess } from './append-process.ts';
import { machine, watchCpu } from './support/cpu.ts';
import { alternate, median, type Measured } from './support/measure.ts';
import { table } from './support/table.ts';

const ROUNDS = 7;
const DURATION_MS = 700;
/** A server still flushes and collects garbage for the contender before: that is not to fall on the next one. */
const PAUSE_MS = 500;
/** A JVM that has run for less is another program. */
const WARM_UP_MS = 9_000;
const TABLE = 'bench';
const HEAP_MIB = 1_024;
const USERS_IN_FLIGHT = 64;
const GOAL = 0.7;

const { only, profile, ...values } = parseArgs({
  options: {
    only: { type: 'string' },
    // The default of cells.
    regions: { type: 'string', default: '4' },
    profile: { type: 'string' },
  },
}).values;
const regions = Number(values.regions);

type Appender = { pid: number; measure(work: AppendWork): Promise<Measured>; close(): Promise<void> };

async function startAppender(kind: 'users' | 'raw', store: string): Promise<Appender> {
  const profiling = profile && kind === 'users' ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const child = fork(new URL('append-process.ts', import.meta.url), {
    env: { ...process.env, BENCH_KIND: kind, BENCH_STORE: store, BENCH_REGIONS: String(regions) },
    execArgv: [...V8_FLAGS, ...profiling],
  });
  const answer = async (): Promise<FromAppendProcess> => await nextMessage(child);
  await answer();
  return {
    pid: child.pid ?? 0,
    async measure(work) {
      child.send(work);
      const message = await answer();
      if ('result' in message) return message.result;
      throw new Error('error' in message ? message.error : 'An appender began twice.');
    },
    async close() {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

async function nextMessage(child: ChildProcess): Promise<FromAppendProcess> {
  const ended = new AbortController();
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal: ended.signal }),
      once(child, 'exit', { signal: ended.signal }).then(([code]) => {
        throw new Error(`An appender has ended with ${code}.`);
      }),
    ]);
    return message as FromAppendProcess;
  } finally {
    ended.abort();
  }
}

type Contender = { name: string; by: Appender; work: Omit<AppendWork, 'durationMs'> };
type Figures = Measured & { node: number; server: number };

async function compete(
  contenders: Contender[],
  server: readonly number[],
): Promise<{ name: string; work: Contender['work']; figures: Figures }[]> {
  const runs = contenders.map(({ name, by, work }) => [
    name,
    async (): Promise<Figures> => {
      await setTimeout(PAUSE_MS);
      const cpu = watchCpu({ node: [by.pid], server });
      return { ...(await by.measure({ ...work, durationMs: DURATION_MS })), ...cpu() };
    },
  ]);
  const results = await alternate<Figures>(ROUNDS, Object.fromEntries(runs));
  return contenders.map(({ name, work }) => {
    const rounds = results[name] ?? [];
    const of = (field: keyof Figures): number => median(rounds.map((round) => round[field]));
    const figures = {
      perSecond: of('perSecond'),
      p50Ms: of('p50Ms'),
      p99Ms: of('p99Ms'),
      maxMs: of('maxMs'),
      calls: of('calls'),
      node: of('node'),
      server: of('server'),
    };
    return { name, work, figures };
  });
}

/** The medians of the rounds, and how the app server does beside the best of the others at 64 users. */
function report(title: string, serverName: string, results: Awaited<ReturnType<typeof compete>>): void {
  console.log(`\n${title}\n`);
  const head = [
    'who',
    'in flight',
    'appends/s',
    'p50 ms',
    'p99 ms',
    'Node CPU %',
    ...(serverName ? [serverName] : []),
  ];
  const rows = results.map(({ name, work, figures }) => [
    name.replace(/ \d+$/, ''),
    work.inFlight,
    figures.perSecond,
    figures.p50Ms,
    figures.p99Ms,
    Math.round(figures.node),
    ...(serverName ? [Math.round(figures.server)] : []),
  ]);
  console.log(table(head, rows));
  const at64 = results.filter(({ work }) => work.inFlight === USERS_IN_FLIGHT);
  const best = at64
    .filter(({ work }) => work.kind !== 'users')
    .toSorted((a, b) => b.figures.perSecond - a.figures.perSecond)[0];
  const own = at64.find(({ work }) => work.kind === 'users');
  if (!best || !own) return;
  const share = own.figures.perSecond / best.figures.perSecond;
  console.log(
    `\nThe app server at ${USERS_IN_FLIGHT} users: ${Math.round(share * 100)} % of the best of the others ` +
      `(${best.name.replace(/ \d+$/, '')}); the goal is ${GOAL * 100} %.`,
  );
}

async function benchHbase(): Promise<void> {
  const hbase = await startHbase({ heapMib: HEAP_MIB });
  const appenders: Appender[] = [];
  try {
    await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: TABLE, regions });
    const url = `hbase://${hbase.master},${hbase.regionServer}/${TABLE}`;
    const raw = await startAppender('raw', url);
    appenders.push(raw);
    const users = await startAppender('users', url);
    appenders.push(users);
    const warmUp = { inFlight: USERS_IN_FLIGHT, durationMs: WARM_UP_MS / 3, regions };
    await raw.measure({ ...warmUp, kind: 'single' });
    await raw.measure({ ...warmUp, kind: 'groups', groups: regions });
    await users.measure({ ...warmUp, kind: 'users' });
    const all = (inFlight: number): Contender[] => [
      { name: `raw, single rows ${inFlight}`, by: raw, work: { kind: 'single', inFlight, regions } },
      { name: `app server ${inFlight}`, by: users, work: { kind: 'users', inFlight } },
    ];
    const groups = (count: number, regions: number): Contender => ({
      name: `raw, ${count} groups of ${USERS_IN_FLIGHT / count} in ${regions === 1 ? 'one region' : `${regions} regions`} 64`,
      by: raw,
      work: { kind: 'groups', inFlight: USERS_IN_FLIGHT, groups: count, regions },
    });
    const contenders = [
      ...all(1),
      ...all(16),
      ...all(USERS_IN_FLIGHT),
      groups(1, 1),
      groups(4, 1),
      groups(regions, regions),
      groups(2 * regions, regions),
      ...all(256),
    ];
    report(
      `HBase (hbase.wal.hsync=true, one region server with ${HEAP_MIB} MiB, ${regions} regions)`,
      'JVM CPU %',
      // With one region some shapes are the same.
      await compete(
        [...new Map(contenders.map((one) => [one.name, one])).values()],
        [hbase.pid('regionServer')],
      ),
    );
  } finally {
    await Promise.all(appenders.map((each) => each.close()));
    await hbase.close();
  }
}

async function benchSqlite(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-'));
  const appenders: Appender[] = [];
  try {
    // A file each: one file has one writer.
    const raw = await startAppender('raw', `sqlite:${join(folder, 'raw.db')}`);
    appenders.push(raw);
    const users = await startAppender('users', `sqlite:${join(folder, 'users.db')}`);
    appenders.push(users);
    const contenders = [1, 16, USERS_IN_FLIGHT, 256].flatMap((inFlight): Contender[] => [
      { name: `raw, transactions of so many rows ${inFlight}`, by: raw, work: { kind: 'sql', inFlight } },
      { name: `app server ${inFlight}`, by: users, work: { kind: 'users', inFlight } },
    ]);
    report('SQLite (synchronous=FULL)', '', await compete(contenders, []));
  } finally {
    await Promise.all(appenders.map((each) => each.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

console.log(
  `Durable appends of 1 KiB entries; medians of ${ROUNDS} alternating rounds of ${DURATION_MS / 1_000} s. ${machine()}`,
);
console.log(
  '"app server" is a process that calls UserLogs.write for as many different users as are in flight: transaction, ' +
    'codec, image, ownership check, snapshots and store as in production, without HTTP and JMAP. "raw" is the client of ' +
    'the store alone in such a process. The times of a group or a transaction are those of all its rows.',
);
if (only !== 'sqlite') await benchHbase();
if (only !== 'hbase') await benchSqlite();
