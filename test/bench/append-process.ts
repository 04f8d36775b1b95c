// A process of `npm run bench:append` that appends: either the append path of an app server, or what is beneath it with
// nothing around. It measures on demand and has nothing else to do.
import { randomBytes } from 'node:crypto';
import { imageFold } from '../../workloads/app-server/image/fold.ts';
import { mailboxId, ordinal } from '../../workloads/app-server/image/ids.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import { ENTRY, entryRow } from '../../workloads/app-server/log/hbase-store-rows.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { openFile } from '../../workloads/app-server/log/sqlite-store-file.ts';
import { UserLogs } from '../../workloads/app-server/log/user-log.ts';
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import { systemClock } from '../../workloads/common/clock.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { putRow, putRows } from '../../workloads/common/hbase/rows.ts';
import { load, measured, type Measured } from './support/measure.ts';

export type AppendWork = {
  /** users: through UserLogs; single: one conditional write each; groups: several rows in one write; sql: transactions. */
  kind: 'users' | 'single' | 'groups' | 'sql';
  /** Appends under way at once. */
  inFlight: number;
  /** Of groups: how many are under way; each has its share of `inFlight`. */
  groups?: number;
  /** Of groups: among how many regions, by the first bits of rows, they lie. */
  regions?: number;
  durationMs: number;
};
export type FromAppendProcess = { ready: true } | { result: Measured } | { error: string };

const { BENCH_STORE = '', BENCH_REGIONS = '' } = process.env;
const ENTRY_BYTES = 1_024;
const USERS = 512;
/** Of the table, in even parts. */
const REGIONS = Number(BENCH_REGIONS);
const CACHE_BYTES = 256 * 1024 * 1024;
const BUSY_MS = 5_000;

/** Of its own in each process. */
function userKeys(): string[] {
  const run = randomBytes(6).toString('hex');
  return Array.from({ length: USERS }, (_, i) => `user:u${run}${String(i).padStart(3, '0')}`);
}

type Measure = (work: AppendWork) => Promise<Measured>;

/** As in production but for the request: codec, image, cache, store. What is added renames a mailbox, at some length. */
async function users(url: string): Promise<Measure> {
  const store = await openLogStore(url);
  const logs = new UserLogs({
    store,
    codec: entryCodec,
    fold: imageFold,
    gate: soleOwner('bench-0', 'session'),
    clock: systemClock,
    cacheBytes: CACHE_BYTES,
  });
  const keys = userKeys();
  const mailbox = { type: 'mailboxCreated', name: '', parentId: '', role: '', sortOrder: 0 } as const;
  const ids = await Promise.all(
    keys.map((key) =>
      logs.write(key, (tx) => {
        tx.add({ type: 'userCreated', userId: key, addresses: [], displayName: '', cell: '' });
        return mailboxId(ordinal(tx.add({ ...mailbox, isSubscribed: true })));
      }),
    ),
  );
  const rename = (id: string, length: number): Action => ({
    type: 'mailboxUpdated',
    mailboxId: id,
    name: 'x'.repeat(length),
  });
  const writer = { server: 'bench-0', session: 'session', number: 1_000_000 };
  const besides =
    entryCodec.encode({ timeMs: Date.now(), writer, actions: [rename('m1-1', 900)] }).length - 900;
  const actions = ids.map((id) => rename(id, ENTRY_BYTES - besides));
  return async ({ inFlight, durationMs }) =>
    await load({ inFlight, durationMs }, async (worker) => {
      const action = actions[worker];
      if (action) await logs.write(keys[worker] ?? '', (tx) => tx.add(action));
    });
}

/** The native client alone, with rows as the log has them. */
function hbase(url: string): Measure {
  const [, hosts = '', table = ''] = /^hbase:\/\/(.+)\/(.+)$/.exec(url) ?? [];
  const client = new HbaseClient({ bootstrap: hosts.split(',') });
  const value = randomBytes(ENTRY_BYTES);
  const logs = userKeys().map((key) => ({ key, seq: 0 }));
  // The log of each user grows, as in an app server; only that the users of a group are of one region.
  const regionOf = (key: string, regions: number): number => ((hashKey(key).bytes[0] ?? 0) * regions) >> 8;
  const ofRegions = (regions: number) =>
    Array.from({ length: regions }, (_, i) => ({
      logs: logs.filter(({ key }) => regionOf(key, REGIONS) === i),
      next: 0,
    }));
  const places = new Map([1, REGIONS].map((regions) => [regions, ofRegions(regions)]));
  const newRow = (region: number, regions: number) => {
    const place = places.get(regions)?.[region];
    const log = place?.logs[place.next++ % place.logs.length];
    if (!log) throw new Error('No user is in that region.');
    const row = entryRow(log.key, ++log.seq);
    return {
      put: { row, columns: [{ ...ENTRY, value }] },
      condition: { row, family: ENTRY.family, qualifier: ENTRY.qualifier, exists: false },
    };
  };
  const isNew = (written: boolean): void => {
    if (!written) throw new Error('A new row was there already.');
  };
  return async ({ kind, inFlight, groups = 1, regions = 1, durationMs }) => {
    if (kind === 'single') {
      return await load({ inFlight, durationMs }, async (worker) => {
        const { put, condition } = newRow(worker % regions, regions);
        isNew(await putRow(client, table, put, condition));
      });
    }
    const size = inFlight / groups;
    const result = await load({ inFlight: groups, durationMs }, async (worker) => {
      const rows = Array.from({ length: size }, () => newRow(worker % regions, regions));
      isNew(
        await putRows(
          client,
          table,
          rows.map(({ put }) => put),
          rows.map(({ condition }) => condition),
        ),
      );
    });
    return { ...result, perSecond: result.perSecond * size };
  };
}

/** node:sqlite alone: so many rows in each transaction, one after another. */
function sql(url: string): Measure {
  const db = openFile(url.replace('sqlite:', ''), BUSY_MS);
  const insert = db.prepare('INSERT INTO entries (hash, key, seq, entry) VALUES (?, ?, ?, ?)');
  const value = randomBytes(ENTRY_BYTES);
  const keys = userKeys().map((key) => ({ key, hash: hashKey(key).bytes }));
  let seq = 0;
  return async ({ inFlight, durationMs }) => {
    const times: number[] = [];
    const began = performance.now();
    for (let start = began; start < began + durationMs;) {
      seq++;
      db.exec('BEGIN IMMEDIATE');
      for (const { hash, key } of keys.slice(0, inFlight)) insert.run(hash, key, seq, value);
      db.exec('COMMIT');
      const now = performance.now();
      times.push(now - start);
      start = now;
    }
    const result = measured(times, performance.now() - began);
    return { ...result, perSecond: result.perSecond * inFlight };
  };
}

const say = (message: FromAppendProcess): void => void process.send?.(message);
const beneath = BENCH_STORE.startsWith('hbase:') ? hbase : sql;
const measures = {
  users: process.env.BENCH_KIND === 'users' ? await users(BENCH_STORE) : undefined,
  raw: process.env.BENCH_KIND === 'users' ? undefined : beneath(BENCH_STORE),
};
process.on('message', (work: AppendWork) => {
  const measure = measures.users ?? measures.raw;
  measure?.(work).then(
    (result) => say({ result }),
    (error: unknown) => say({ error: error instanceof Error ? (error.stack ?? '') : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
say({ ready: true });
