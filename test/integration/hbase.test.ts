import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { ServerException } from '../../workloads/common/hbase/errors.ts';
import { regionOf } from '../../workloads/common/hbase/regions.ts';
import {
  getRow,
  putRow,
  putRows,
  scanRows,
  type Condition,
  type Put,
} from '../../workloads/common/hbase/rows.ts';
import { ensureSchema, splitKeys } from '../../workloads/common/hbase/schema.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { until } from '../support/wait.ts';

const TABLE = 'cellpost';
const REGIONS = 4;
/** Longer than a server hangs here, also on a busy machine. */
const SESSION_TIMEOUT_MS = 10_000;
const START_DEADLINE_MS = 300_000;

let hbase: Hbase;
let client: HbaseClient;

before(
  async () => {
    hbase = await startHbase({ sessionTimeoutMs: SESSION_TIMEOUT_MS });
    client = new HbaseClient({ bootstrap: [hbase.master, hbase.regionServer] });
  },
  { timeout: START_DEADLINE_MS },
);

after(async () => {
  await client?.close();
  await hbase?.close();
});

const schema = (regions = REGIONS): Promise<{ changed: boolean }> =>
  ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: TABLE, regions });

const openStore = (): Promise<LogStore> =>
  openLogStore(`hbase://${hbase.master},${hbase.regionServer}/${TABLE}`);

const put = (row: string, value: string): Put => ({
  row: Buffer.from(row),
  columns: [{ family: 'e', qualifier: Buffer.from('e'), value: Buffer.from(value) }],
});
const absent = (row: string, exists = false): Condition => ({
  row: Buffer.from(row),
  family: 'e',
  qualifier: Buffer.from('e'),
  exists,
});
const valueOf = async (row: string): Promise<string | undefined> => {
  const [cell] = await getRow(client, TABLE, Buffer.from(row), { family: 'e' });
  return cell && Buffer.from(cell.value).toString();
};

test('two who make the table at once make one, split over the hash; later calls change nothing', async () => {
  const made = await Promise.allSettled([schema(), schema()]);
  assert.ok(made.some((result) => result.status === 'fulfilled' && result.value.changed));
  assert.deepEqual(await schema(), { changed: false });
  const regions = await client.regions(TABLE);
  assert.deepEqual(
    regions.map(({ startKey }) => Buffer.from(startKey).toString('hex')),
    ['', '40000000', '80000000', 'c0000000'],
  );
  assert.deepEqual(
    splitKeys(REGIONS).map((key) => Buffer.from(key).toString('hex')),
    ['40000000', '80000000', 'c0000000'],
  );
  assert.equal(regionOf(regions, Buffer.from([0x80, 0, 0, 0, 1])), regions[2]);
  assert.equal(regionOf(regions, Buffer.from([0x7f, 0xff])), regions[1]);
});

test('a conditional put is written once', async () => {
  assert.equal(await putRow(client, TABLE, put('once', 'first'), absent('once')), true);
  assert.equal(await putRow(client, TABLE, put('once', 'second'), absent('once')), false);
  assert.equal(await valueOf('once'), 'first');
  assert.equal(await putRow(client, TABLE, put('once', 'third'), absent('once', true)), true);
  assert.equal(await valueOf('once'), 'third');
});

test('several rows of a region are written together or not at all', async () => {
  const rows = ['many1', 'many2', 'many3'];
  const puts = rows.map((row) => put(row, 'x'));
  assert.equal(
    await putRows(
      client,
      TABLE,
      puts,
      rows.map((row) => absent(row)),
    ),
    true,
  );
  const more = [put('many4', 'y'), put('many2', 'y')];
  assert.equal(await putRows(client, TABLE, more, [absent('many4'), absent('many2')]), false);
  assert.equal(await valueOf('many4'), undefined);
  assert.equal(await valueOf('many2'), 'x');
});

test('a scan goes both ways and keeps to its limit', async () => {
  const scan = async (reversed: boolean, limit: number): Promise<string[]> => {
    const [from, to] = reversed ? ['many9', 'many'] : ['many', 'many9'];
    const options = { from: Buffer.from(from), to: Buffer.from(to), where: { family: 'e' }, limit, reversed };
    return (await scanRows(client, TABLE, options)).rows.map(({ row }) => Buffer.from(row).toString());
  };
  assert.deepEqual(await scan(false, 10), ['many1', 'many2', 'many3']);
  assert.deepEqual(await scan(false, 2), ['many1', 'many2']);
  assert.deepEqual(await scan(true, 2), ['many3', 'many2']);
});

test('a mistake is told at once and is not tried again', async () => {
  const wrong: Put = {
    row: Buffer.from('x'),
    columns: [{ family: 'none', qualifier: Buffer.from('q'), value: Buffer.from('v') }],
  };
  await assert.rejects(putRow(client, TABLE, wrong), (error) => {
    assert.ok(error instanceof ServerException);
    assert.match(error.message, /^NoSuchColumnFamilyException/);
    return true;
  });
});

/** Longer than a group of appends waits for its answer: its members are then sent alone. */
const HANG_MS = 3_000;

type Load = {
  /** Entries acknowledged so far. */
  count(): number;
  stop(): Promise<Map<string, number>>;
};

/** Writers that append one entry after another, each to a key of its own; stop() tells how far each was acknowledged. */
function startLoad(store: LogStore, writers: number): Load {
  const stopped = new AbortController();
  const acknowledged = new Map<string, number>();
  const work = Array.from({ length: writers }, async (_, i) => {
    const key = `user:${process.hrtime.bigint()}-${i}`;
    for (let seq = 1; !stopped.signal.aborted; seq++) {
      assert.equal(
        await store.append(key, seq, Buffer.from(`${key} ${seq}`), [Buffer.alloc(500)]),
        'appended',
      );
      acknowledged.set(key, seq);
    }
  });
  return {
    count: () => [...acknowledged.values()].reduce((sum, seq) => sum + seq, 0),
    async stop() {
      stopped.abort();
      await Promise.all(work);
      return acknowledged;
    },
  };
}

async function checkAll(acknowledged: Map<string, number>): Promise<number> {
  const reader = await openStore();
  let entries = 0;
  for (const [key, count] of acknowledged) {
    const rows = await reader.read(key, 1, { limit: 100_000, maxBytes: Number.MAX_SAFE_INTEGER });
    assert.deepEqual(
      rows.map(({ seq, entry }) => `${seq}: ${Buffer.from(entry).toString()}`),
      Array.from({ length: count }, (_, i) => `${i + 1}: ${key} ${i + 1}`),
    );
    entries += rows.length;
  }
  await reader.close();
  return entries;
}

/** Waits until so many more entries of the load have been acknowledged. */
async function pass(load: Load, entries: number): Promise<void> {
  const goal = load.count() + entries;
  await until(() => load.count() >= goal, { timeoutMs: START_DEADLINE_MS, what: `${entries} more appends` });
}

/** Appends that were acknowledged after this moment. */
async function moreAppends(store: LogStore): Promise<void> {
  assert.equal(await store.append(`user:${process.hrtime.bigint()}`, 1, Buffer.from('after')), 'appended');
}

test('kill -9 of the region server under load: appends wait, none fails, none is lost, none is there twice', async (t) => {
  const store = await openStore();
  const load = startLoad(store, 16);
  await pass(load, 1_000);
  await hbase.kill('regionServer');
  const began = performance.now();
  await hbase.restart('regionServer');
  await moreAppends(store);
  t.diagnostic(`served again after ${Math.round(performance.now() - began)} ms`);
  await pass(load, 1_000);
  const entries = await checkAll(await load.stop());
  t.diagnostic(`${entries} entries acknowledged and found`);
  await store.close();
});

test('a region server that hangs until groups are given up does them late: each entry is there once', async () => {
  const store = await openStore();
  const load = startLoad(store, 8);
  await pass(load, 200);
  hbase.signal('SIGSTOP');
  const waiting = moreAppends(store);
  const resume = setTimeout(() => hbase.signal('SIGCONT'), HANG_MS);
  try {
    await waiting;
  } finally {
    clearTimeout(resume);
    hbase.signal('SIGCONT');
  }
  await pass(load, 200);
  await checkAll(await load.stop());
  await store.close();
});

test('without its master HBase goes on serving', async () => {
  const store = await openStore();
  await moreAppends(store);
  await hbase.kill('master');
  await moreAppends(store);
  const fresh = await openStore();
  await moreAppends(fresh);
  await hbase.restart('master');
  await moreAppends(store);
  await store.close();
  await fresh.close();
});
