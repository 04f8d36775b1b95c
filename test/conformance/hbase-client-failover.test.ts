// The HBase client while servers die under load: region servers in the middle of batches, the active master.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { storageAdmin } from '../../operator/outside/storage.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { getRow, putRow } from '../../workloads/common/hbase/rows.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { HbaseAdmin } from '../support/hbase-admin.ts';
import { COLUMN, HbaseLoad, newRow, textOf } from '../support/hbase-load.ts';
import { until } from '../support/wait.ts';

const TABLE = 'failover';
const START_DEADLINE_MS = 300_000;
const WAIT_MS = 120_000;
/** Shorter than the recovery from a crash. */
const IMPATIENCE_MS = 1_000;

let hbase: Hbase;
let second: string;
let backup: string;
let admin: HbaseAdmin;
let bootstrap: string[];

before(
  async () => {
    hbase = await startHbase();
    second = await hbase.addRegionServer();
    backup = await hbase.addMaster();
    admin = new HbaseAdmin([hbase.master, backup]);
    bootstrap = [hbase.master, backup, hbase.regionServer, second];
    await admin.createTable(TABLE, [Buffer.from([0x40]), Buffer.from([0x80]), Buffer.from([0xc0])]);
  },
  { timeout: START_DEADLINE_MS },
);

after(async () => {
  await admin?.close();
  await hbase?.close();
});

const SERVERS = ['regionServer', 'secondRegionServer'] as const;
const addressOf = (server: (typeof SERVERS)[number]): string =>
  server === 'regionServer' ? hbase.regionServer : second;

/** Two of the four regions on each server. */
async function spread(): Promise<void> {
  const regions = await admin.regions(TABLE);
  for (const [i, region] of regions.entries())
    if (region.server !== addressOf(SERVERS[i % 2] ?? 'regionServer')) await admin.move(TABLE, region);
}

for (const server of SERVERS) {
  test(`kill -9 of ${server} in the middle of batches: nothing is lost, and nobody sees an error`, async (t) => {
    await spread();
    const load = new HbaseLoad({ bootstrap, table: TABLE });
    try {
      await load.passes(20);
      await hbase.kill(server);
      await load.passes(5);
      const left = new Set((await admin.regions(TABLE)).map((region) => region.server));
      assert.deepEqual(left, new Set([addressOf(SERVERS.find((each) => each !== server) ?? server)]));
      await hbase.restart(server);
      await spread();
      await load.passes(5);
    } finally {
      t.diagnostic(
        `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
      );
    }
  });
}

/** `host,port,startCode` of a region server that the master knows, as REST tells it: somewhat late. */
async function fullNameOf(address: string): Promise<string> {
  const startCode = await until(
    async () => {
      const response = await fetch(`${hbase.restUrl}/status/cluster`, {
        headers: { accept: 'application/json' },
      });
      const { LiveNodes } = (await response.json()) as { LiveNodes: { name: string; startCode: number }[] };
      return LiveNodes.find(({ name }) => name === address)?.startCode;
    },
    { timeoutMs: WAIT_MS, what: `REST to name ${address}` },
  );
  return `${address.replace(':', ',')},${startCode}`;
}

test('a region server is unloaded under load and may have regions again later; nobody sees an error', async (t) => {
  await spread();
  const masters = [backup, hbase.master];
  const load = new HbaseLoad({ bootstrap, table: TABLE });
  try {
    await load.passes(20);
    await storageAdmin.unload(masters, await fullNameOf(second));
    await until(
      async () => (await admin.regions(TABLE)).every(({ server }) => server === hbase.regionServer),
      { timeoutMs: WAIT_MS, what: 'the regions to have moved' },
    );
    await load.passes(5);
    await storageAdmin.reload(masters);
    await spread();
    const servers = new Set((await admin.regions(TABLE)).map(({ server }) => server));
    assert.deepEqual(servers, new Set([hbase.regionServer, second]));
    await load.passes(5);
  } finally {
    t.diagnostic(
      `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
    );
  }
});

test('who has less patience than a recovery takes is told at the deadline, not before, and nothing is lost', async (t) => {
  await spread();
  const load = new HbaseLoad({ bootstrap, table: TABLE, patienceMs: IMPATIENCE_MS });
  try {
    await load.passes(20);
    await hbase.kill('secondRegionServer');
    try {
      await until(() => load.unavailable > 0, { timeoutMs: WAIT_MS, what: 'a write that gives up' });
    } finally {
      await hbase.restart('secondRegionServer');
    }
    await load.passes(5);
    assert.ok(load.longestMs < IMPATIENCE_MS + 10_000, `${load.longestMs} ms`);
  } finally {
    t.diagnostic(`${await load.stop()} writes acknowledged and found, ${load.unavailable} gave up`);
  }
});

test('kill -9 of the active master: the other takes over, writes go on, and a region server that dies then is recovered', async (t) => {
  await spread();
  const load = new HbaseLoad({ bootstrap, table: TABLE });
  try {
    await load.passes(10);
    await hbase.kill('master');
    await load.passes(10);
    // Regions move again as soon as the other master works.
    await hbase.ready();
    const [region] = await admin.regions(TABLE);
    assert.ok(region);
    await admin.move(TABLE, region);
    await load.passes(5);
    // A newcomer finds its way past the dead master.
    const newcomer = new HbaseClient({ bootstrap });
    const { put, condition } = newRow(Buffer.from('after the master'), 'here');
    assert.equal(await putRow(newcomer, TABLE, put, condition), true);
    assert.equal(textOf((await getRow(newcomer, TABLE, put.row, COLUMN))[0]?.value), 'here');
    await newcomer.close();
    await hbase.kill('regionServer');
    await load.passes(5);
    await hbase.restart('regionServer');
    // The first one is the spare now.
    await hbase.restart('master');
    await hbase.kill('backupMaster');
    await load.passes(10);
    await hbase.ready();
    await spread();
    await load.passes(5);
  } finally {
    t.diagnostic(
      `${await load.stop()} writes acknowledged and found, longest ${Math.round(load.longestMs)} ms`,
    );
  }
});
