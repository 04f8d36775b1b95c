// The HBase client against a real HBase with two region servers: regions that move, servers that die, too many calls at
// once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { EntryTooLarge } from '../../workloads/app-server/log/log-store.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { Connections } from '../../workloads/common/hbase/connections.ts';
import { HbaseUnavailable, ServerException } from '../../workloads/common/hbase/errors.ts';
import { loadRegions, type Region } from '../../workloads/common/hbase/regions.ts';
import { getRow, putRow, scanRows, type Put } from '../../workloads/common/hbase/rows.ts';
import { clusterStatus, ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';

const TABLE = 'client';
const REGIONS = 4;
const START_DEADLINE_MS = 300_000;
const WAIT_MS = 120_000;
const E = { family: 'e', qualifier: Buffer.from('e') };

let hbase: Hbase;
let second: string;
let client: HbaseClient;
const clients: HbaseClient[] = [];

function newClient(bootstrap = [hbase.master, hbase.regionServer]): HbaseClient {
  const made = new HbaseClient({ bootstrap });
  clients.push(made);
  return made;
}

before(
  async () => {
    hbase = await startHbase();
    second = await hbase.addRegionServer();
    await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: TABLE, regions: REGIONS });
    client = newClient();
  },
  { timeout: START_DEADLINE_MS },
);

after(async () => {
  await Promise.all(clients.map((each) => each.close()));
  await hbase?.close();
});

/** A row of one of the regions, by its first byte. */
const rowIn = (firstByte: number, name: string): Buffer =>
  Buffer.concat([Buffer.from([firstByte]), Buffer.from(name)]);
const put = (row: Uint8Array, value: Uint8Array): Put => ({ row, columns: [{ ...E, value }] });
const putOnce = (by: HbaseClient, row: Uint8Array, value: string, deadlineMs?: number): Promise<boolean> =>
  putRow(
    by,
    TABLE,
    put(row, Buffer.from(value)),
    { row, ...E, exists: false },
    deadlineMs ? { deadlineMs } : {},
  );
const valueOf = async (row: Uint8Array, by = client): Promise<string | undefined> => {
  const [cell] = await getRow(by, TABLE, row, E);
  return cell && Buffer.from(cell.value).toString();
};

test('HBase REST tells of both region servers', async () => {
  const { live } = await clusterStatus(hbase.restUrl);
  assert.deepEqual(
    live.map((name) => name.replace(/^127\.0\.0\.1:/, 'localhost:')).sort(),
    [hbase.regionServer, second].sort(),
  );
});

test('of 32 who race for a row one wins, and the row is the winner’s', async () => {
  const racers = Array.from({ length: 4 }, () => newClient());
  for (let round = 0; round < 20; round++) {
    const row = rowIn(round * 12, `race${round}`);
    const won = await Promise.all(
      Array.from({ length: 32 }, (_, i) => putOnce(racers[i % racers.length] ?? client, row, `racer ${i}`)),
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(await valueOf(row), `racer ${won.indexOf(true)}`);
  }
});

test('a scan in small responses has each row once, and ends', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => rowIn(0x41, `small${String(i).padStart(2, '0')}`));
  await Promise.all(rows.map((row) => putRow(client, TABLE, put(row, Buffer.alloc(20_000, 1)))));
  const found: string[] = [];
  let from: Uint8Array = rowIn(0x41, 'small');
  let responses = 0;
  for (;;) {
    const part = await scanRows(client, TABLE, {
      from,
      to: rowIn(0x41, 'smalm'),
      where: E,
      limit: 1_000,
      maxBytes: 100_000,
    });
    responses++;
    found.push(...part.rows.map(({ row }) => Buffer.from(row).toString('hex')));
    const last = part.rows.at(-1);
    if (part.done || !last) break;
    from = Buffer.concat([last.row, Buffer.from([0])]);
  }
  assert.deepEqual(
    found,
    rows.map((row) => row.toString('hex')),
  );
  assert.ok(responses > 3, `${responses} responses`);
});

test('what is too large is refused at once and for good, and the next call works', async () => {
  const row = rowIn(0x90, 'large');
  const began = performance.now();
  await assert.rejects(putRow(client, TABLE, put(row, Buffer.alloc(11 * 1024 * 1024))), (error) => {
    assert.ok(error instanceof ServerException, String(error));
    assert.deepEqual([error.cure, error.mayHaveRun], ['fail', false]);
    return true;
  });
  assert.ok(performance.now() - began < 15_000);
  assert.equal(await putOnce(client, row, 'small'), true);
  const store = await openLogStore(`hbase://${hbase.master}/${TABLE}`);
  const snapshot = { seq: 1, format: 1, bytes: new Uint8Array(10_000_001) };
  await assert.rejects(store.putSnapshot('user:large', snapshot), EntryTooLarge);
  await store.putSnapshot('user:large', { ...snapshot, bytes: snapshot.bytes.subarray(1) });
  assert.equal((await store.getSnapshot('user:large'))?.bytes.length, 10_000_000);
  await store.close();
});

test('6,000 calls at once of 24 clients: what the server refuses for its load is tried again', async () => {
  const many = Array.from({ length: 24 }, () => newClient());
  const rows = Array.from({ length: 6_000 }, (_, i) => rowIn(i % 256, `many${i}`));
  const written = await Promise.all(
    rows.map((row, i) => putOnce(many[i % many.length] ?? client, row, String(i), WAIT_MS)),
  );
  // A call that was tried again after it had run finds its own value.
  for (const [i, was] of written.entries()) {
    const row = rows[i];
    if (!was && row) assert.equal(await valueOf(row), String(i));
  }
  await Promise.all(many.map((each) => each.close()));
});

test('servers that refuse, or take connections and say nothing, are told of within the deadline', async () => {
  const proxy = await startTcpProxy(Number(hbase.regionServer.split(':')[1]));
  try {
    for (const mode of ['refuse', 'silent'] as const) {
      proxy.become(mode);
      const lost = newClient([`127.0.0.1:${proxy.port}`]);
      const began = performance.now();
      await assert.rejects(
        putOnce(lost, rowIn(1, 'lost'), 'x', 1_000),
        (error) => error instanceof HbaseUnavailable && !error.mayHaveRun,
      );
      const tookMs = performance.now() - began;
      assert.ok(tookMs >= 990 && tookMs < 4_000, `${mode}: ${tookMs} ms`);
      await lost.close();
    }
    // One silent address of several costs time, not the call.
    proxy.become('silent');
    const other = newClient([`127.0.0.1:${proxy.port}`, hbase.regionServer]);
    assert.equal(await putOnce(other, rowIn(1, 'found'), 'x', WAIT_MS), true);
  } finally {
    await proxy.close();
  }
});

const WRITERS = 16;
type Load = { done(): Map<string, number>; stop(): Promise<Map<string, number>> };

/** Appends entries 1, 2, 3 … to keys of their own, through the store as app servers do. */
async function startLoad(): Promise<Load> {
  const store = await openLogStore(`hbase://${hbase.master},${hbase.regionServer},${second}/${TABLE}`);
  const acknowledged = new Map<string, number>();
  const stopped = new AbortController();
  const run = `${process.hrtime.bigint()}`;
  const work = Array.from({ length: WRITERS }, async (_, i) => {
    const key = `user:${run}-${i}`;
    for (let seq = 1; !stopped.signal.aborted; seq++) {
      assert.equal(await store.append(key, seq, Buffer.from(`${key} ${seq}`)), 'appended');
      acknowledged.set(key, seq);
    }
  });
  // A writer that fails ends the test by stop(); meanwhile nobody waits for it.
  const all = Promise.all(work);
  all.catch(() => undefined);
  return {
    done: () => new Map(acknowledged),
    async stop() {
      stopped.abort();
      await all;
      for (const [key, count] of acknowledged) {
        const rows = await store.read(key, 1, { limit: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER });
        assert.deepEqual(
          rows.map(({ seq, entry }) => [seq, Buffer.from(entry).toString()]),
          Array.from({ length: count }, (_, i) => [i + 1, `${key} ${i + 1}`]),
        );
      }
      await store.close();
      return acknowledged;
    },
  };
}

/** Waits until each writer has had so many more acknowledgements. */
async function eachPasses(load: Load, entries: number): Promise<void> {
  const before = load.done();
  const passed = (): boolean => {
    const now = [...load.done()];
    return now.length === WRITERS && now.every(([key, seq]) => seq >= (before.get(key) ?? 0) + entries);
  };
  await until(passed, { timeoutMs: WAIT_MS, what: `${entries} more appends of each writer` });
}

const sum = (counts: Map<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);

async function moveRegion(connections: Connections, region: Region): Promise<void> {
  const master = await connections.get(hbase.master, 'MasterService');
  const [, encodedName] = /\.([0-9a-f]{32})\.$/.exec(Buffer.from(region.name).toString('latin1')) ?? [];
  assert.ok(encodedName);
  // Without a destination the master takes another server than the present one.
  const message = { region: { type: 2, value: Buffer.from(encodedName) } };
  await master.call({
    method: 'MoveRegion',
    timeoutMs: WAIT_MS,
    parameter: { type: 'MoveRegionRequest', message },
  });
}

test('regions that move under load fail no append, and lose none', async (t) => {
  const load = await startLoad();
  const connections = new Connections('test');
  try {
    await eachPasses(load, 10);
    for (let move = 0; move < 6; move++) {
      const regions = await loadRegions(connections, [hbase.master], TABLE, WAIT_MS);
      const region = regions[move % regions.length];
      assert.ok(region);
      await moveRegion(connections, region);
      await eachPasses(load, 5);
    }
  } finally {
    await connections.close();
  }
  t.diagnostic(`${sum(await load.stop())} entries acknowledged and found`);
});

test('kill -9 of one of two region servers under load: the other takes its regions, nothing is lost', async (t) => {
  const connections = new Connections('test');
  const regionsOf = (): Promise<Region[]> => loadRegions(connections, [hbase.master], TABLE, WAIT_MS);
  const load = await startLoad();
  try {
    for (const region of (await regionsOf()).slice(0, 2))
      if (region.server !== second) await moveRegion(connections, region);
    await eachPasses(load, 20);
    const theirs = (await regionsOf()).filter(({ server }) => server === second).length;
    assert.ok(theirs >= 2, `${theirs} regions on the second server`);
    const began = performance.now();
    await hbase.kill('secondRegionServer');
    await eachPasses(load, 5);
    t.diagnostic(`its ${theirs} regions served again after ${Math.round(performance.now() - began)} ms`);
    t.diagnostic(`${sum(await load.stop())} entries acknowledged and found`);
    assert.deepEqual(new Set((await regionsOf()).map(({ server }) => server)), new Set([hbase.regionServer]));
  } finally {
    await connections.close();
  }
  // A client that knows the old places only.
  for (const firstByte of [0x10, 0x50, 0x90, 0xd0])
    assert.equal(await putOnce(client, rowIn(firstByte, 'after'), 'x'), true);
});
