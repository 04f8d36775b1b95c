// The HBase client while regions of its table move, are split and merged under load, and after that with old knowledge.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AppendGroups } from '../../workloads/app-server/log/hbase-store-groups.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { ServerException } from '../../workloads/common/hbase/errors.ts';
import { getRows } from '../../workloads/common/hbase/many-rows.ts';
import { regionOf, type Region } from '../../workloads/common/hbase/regions.ts';
import { getRow, putRow, putRows, scanRows } from '../../workloads/common/hbase/rows.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { HbaseAdmin } from '../support/hbase-admin.ts';
import { COLUMN, HbaseLoad, newRow, readAll, textOf } from '../support/hbase-load.ts';

const TABLE = 'regions';
const START_DEADLINE_MS = 300_000;
const WAIT_MS = 60_000;

let hbase: Hbase;
let second: string;
let admin: HbaseAdmin;
/** Knows the regions as they were at first, until it errs. */
let old: HbaseClient;
const clients: HbaseClient[] = [];

before(
  async () => {
    hbase = await startHbase();
    second = await hbase.addRegionServer();
    admin = new HbaseAdmin([hbase.master]);
    await admin.createTable(TABLE, [Buffer.from([0x40]), Buffer.from([0x80]), Buffer.from([0xc0])]);
    old = newClient();
    assert.equal((await old.regions(TABLE)).length, 4);
  },
  { timeout: START_DEADLINE_MS },
);

after(async () => {
  await Promise.all(clients.map((each) => each.close()));
  await admin?.close();
  await hbase?.close();
});

function newClient(): HbaseClient {
  const made = new HbaseClient({ bootstrap: [hbase.master, hbase.regionServer, second] });
  clients.push(made);
  return made;
}

const startLoad = (): HbaseLoad =>
  new HbaseLoad({ bootstrap: [hbase.master, hbase.regionServer, second], table: TABLE });
const rowAt = (firstByte: number, name: string): Buffer =>
  Buffer.concat([Buffer.from([firstByte]), Buffer.from(name)]);
const regionAt = async (firstByte: number): Promise<Region> =>
  regionOf(await admin.regions(TABLE), Buffer.from([firstByte, 1]));

test('a region that moves back and forth under load fails no write and no read', async (t) => {
  const load = startLoad();
  try {
    await load.passes(10);
    const servers = new Set<string>();
    for (let move = 0; move < 8; move++) {
      const region = await regionAt(move < 4 ? 0x10 : 0x90);
      servers.add(region.server);
      await admin.move(TABLE, region);
      await load.passes(3);
    }
    assert.equal(servers.size, 2);
  } finally {
    t.diagnostic(
      `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
    );
  }
});

test('a region that is split under load, and its half moved away, fails no write and no read', async (t) => {
  const load = startLoad();
  try {
    await load.passes(10);
    await admin.split(TABLE, await regionAt(0x10), Buffer.from([0x20]));
    await load.passes(5);
    assert.equal((await admin.regions(TABLE)).length, 5);
    await admin.move(TABLE, await regionAt(0x30));
    await load.passes(5);
    const servers = [(await regionAt(0x10)).server, (await regionAt(0x30)).server];
    if (servers[0] === servers[1]) await admin.move(TABLE, await regionAt(0x30));
    await load.passes(5);
  } finally {
    t.diagnostic(
      `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
    );
  }
});

test('a group whose rows lie in two regions by now writes nothing together, and all of them one by one', async () => {
  const rows = Array.from({ length: 16 }, (_, i) =>
    newRow(rowAt(i % 2 ? 0x15 : 0x35, `two${i}`), `value ${i}`),
  );
  const puts = rows.map(({ put }) => put);
  const conditions = rows.map(({ condition }) => condition);
  const knowing = newClient();
  await assert.rejects(putRows(knowing, TABLE, puts, conditions, { deadlineMs: WAIT_MS }), (error) => {
    assert.ok(error instanceof ServerException, String(error));
    assert.deepEqual([error.cure, error.mayHaveRun], ['fail', false]);
    return true;
  });
  const keys = puts.map(({ row }) => row);
  assert.deepEqual((await getRows(knowing, TABLE, keys, COLUMN)).flat(), []);
  // One that believes them in one region.
  const groups = new AppendGroups(old, TABLE);
  const written = await Promise.all(rows.map(({ put, condition }) => groups.put(put, condition, WAIT_MS)));
  assert.deepEqual(new Set(written), new Set([true]));
  assert.deepEqual(
    (await getRows(knowing, TABLE, keys, COLUMN)).map(([cell]) => textOf(cell?.value)),
    rows.map((_, i) => `value ${i}`),
  );
});

test('scans run over the border of regions in both directions, to their limit', async () => {
  const client = newClient();
  const all = await readAll(client, TABLE, false);
  const firsts = new Set(all.map(([row]) => row.charCodeAt(0) >> 5));
  assert.equal(firsts.size, 8, 'rows in all parts of the table');
  const at = all.findIndex(([row]) => row.charCodeAt(0) >= 0x20);
  const around = all.slice(at - 20, at + 20).map(([row]) => row);
  const scan = async (from: string, to: string, limit: number, reversed: boolean): Promise<string[]> => {
    const found: string[] = [];
    let start = Buffer.from(from, 'latin1');
    for (;;) {
      const { rows, done } = await scanRows(client, TABLE, {
        from: start,
        to: Buffer.from(to, 'latin1'),
        where: COLUMN,
        limit: limit - found.length,
        reversed,
      });
      found.push(...rows.map(({ row }) => textOf(row) ?? ''));
      const last = rows.at(-1);
      if (done || !last || found.length >= limit) return found;
      start = reversed ? Buffer.from([0x20]) : Buffer.concat([last.row, Buffer.from([0])]);
    }
  };
  const [first = '', last = ''] = [around[0], around.at(-1)];
  assert.deepEqual(await scan(first, last, 100, false), around.slice(0, -1));
  assert.deepEqual(await scan(first, last, 25, false), around.slice(0, 25));
  assert.deepEqual(await scan(last, first, 100, true), around.slice(1).toReversed());
  // The newest row before a border, asked for from behind it.
  const { rows } = await scanRows(client, TABLE, {
    from: Buffer.from([0x20]),
    to: Buffer.from(first, 'latin1'),
    where: COLUMN,
    limit: 1,
    reversed: true,
  });
  assert.deepEqual(
    rows.map(({ row }) => textOf(row)),
    [around[19]],
  );
});

test('regions that are merged under load fail no write and no read', async (t) => {
  const load = startLoad();
  try {
    await load.passes(10);
    // Two that were never split: halves can be merged only once they have been rewritten, which may take minutes.
    await admin.merge(await regionAt(0x50), await regionAt(0x90));
    await load.passes(5);
    assert.equal((await admin.regions(TABLE)).length, 4);
    await admin.move(TABLE, await regionAt(0x90));
    await load.passes(5);
  } finally {
    t.diagnostic(
      `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
    );
  }
});

test('a client that knows the regions of long ago finds all rows, and writes in all of them', async () => {
  const stale = newClient();
  const regions = await stale.regions(TABLE);
  await admin.split(TABLE, await regionAt(0xd0), Buffer.from([0xe0]));
  await admin.move(TABLE, await regionAt(0x10));
  assert.equal(await stale.regions(TABLE), regions, 'it has not asked again');
  for (let byte = 8; byte < 256; byte += 16) {
    const { put, condition } = newRow(rowAt(byte, 'stale'), `stale ${byte}`);
    assert.equal(await putRow(stale, TABLE, put, condition), true);
  }
  const keys = Array.from({ length: 16 }, (_, i) => rowAt(8 + i * 16, 'stale'));
  const read = await getRows(old, TABLE, keys, COLUMN);
  assert.deepEqual(
    read.map(([cell]) => textOf(cell?.value)),
    keys.map((_, i) => `stale ${8 + i * 16}`),
  );
  assert.deepEqual(await readAll(old, TABLE, true), (await readAll(newClient(), TABLE, false)).toReversed());
});

test('a client that takes the wrong server or the wrong region for a row’s corrects itself', async () => {
  const elsewhere = (server: string): string => (server === second ? hbase.regionServer : second);
  const wrongs: ((region: Region, other: Region) => void)[] = [
    (region) => void (region.server = elsewhere(region.server)),
    // Nobody listens there.
    (region) => void (region.server = 'localhost:1'),
    (region, other) => void (region.name = other.name),
    (region) => void (region.name = Buffer.from(`${TABLE},,1.00000000000000000000000000000000.`)),
  ];
  for (const [i, make] of wrongs.entries()) {
    const misled = newClient();
    const spoil = async (): Promise<void> => {
      const regions = await misled.regions(TABLE);
      const region = regionOf(regions, Buffer.from([0x90, 1]));
      const other = regionOf(regions, Buffer.from([0x10, 1]));
      make(region, other);
    };
    const { put, condition } = newRow(rowAt(0x90, `wrong${i}`), 'right');
    await spoil();
    assert.equal(await putRow(misled, TABLE, put, condition), true);
    await spoil();
    assert.equal(textOf((await getRow(misled, TABLE, put.row, COLUMN))[0]?.value), 'right');
    await spoil();
    assert.equal(textOf((await getRows(misled, TABLE, [put.row], COLUMN))[0]?.[0]?.value), 'right');
    await spoil();
    const more = [0, 1].map((n) => newRow(rowAt(0x90, `wrong${i}.${n}`), 'right'));
    const together = await putRows(
      misled,
      TABLE,
      more.map((each) => each.put),
      more.map((each) => each.condition),
    );
    assert.equal(together, true);
  }
});
