// cellctl's tools where cells are real: logs in HBase, rings and the map in ZooKeeper.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { hashKey } from '../../workloads/common/hash.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { zooKeeperMissing } from '../real/zookeeper.ts';
import { startRealPlatform, type RealPlatform } from '../support/real-platform.ts';
import { killMovers, otherCell } from './kill-movers.ts';
import { MoveLoad } from './move-load.ts';
import { readMailbox, send, signIn, type Mailbox } from './tools-mailbox.ts';

const START_DEADLINE_MS = 300_000;
const USERS = Array.from({ length: 12 }, (_, n) => `user${n}@cellpost.test`);
const [MOVER = '', RECEIVER = ''] = USERS;
/** What MoveLoad signs in with. */
const PASSWORD = 'demo';
const PARALLEL = 4;
/** Such a body lies in the blob store. */
const LARGE_BYTES = 100_000;

const skip = (await zooKeeperMissing()) ?? false;

suite('cellctl over HBase and ZooKeeper', { skip }, () => {
  let hbase: Hbase;
  let platform: RealPlatform;
  let folder: string;
  const userIds = new Map<string, string>();

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), 'cellpost-backup-'));
      hbase = await startHbase();
      platform = await startRealPlatform(hbase, 'first');
      await inParallel(USERS, PARALLEL, async (address) => {
        const user = { addresses: [address], displayName: address, password: PASSWORD };
        userIds.set(address, await platform.cells.createUser(user));
        const attachment = Buffer.alloc(LARGE_BYTES, address);
        await send(
          platform,
          { to: address, subject: 'small' },
          { to: address, subject: 'large', attachment },
        );
      });
    },
    { timeout: START_DEADLINE_MS },
  );

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await hbase?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const keyOf = (address: string): string => userKey(userIds.get(address) ?? '');
  const cellOf = async (address: string): Promise<string | undefined> =>
    platform.cells.discovery.cellOf(keyOf(address));
  const mailboxes = (): Promise<Mailbox[]> =>
    inParallel(USERS, PARALLEL, async (address) => readMailbox(await signIn(platform, address, PASSWORD)));

  test('a user moves under load, also when movers are killed; nothing is lost', async (t) => {
    await using load = await MoveLoad.start(platform, MOVER);
    const from = (await cellOf(MOVER)) ?? '';
    const { moved } = await platform.cellctl<{ moved: boolean }>('user', 'move', MOVER, otherCell(from));
    assert.ok(moved);
    assert.equal(await cellOf(MOVER), otherCell(from));
    const { cells, env } = platform;
    const killed = await killMovers({
      cells,
      key: keyOf(MOVER),
      env,
      load,
      say: (line) => t.diagnostic(line),
    });
    assert.ok(killed > 0, 'a mover was killed');
    await load.assertGood();
    await platform.cellctl('user', 'verify', MOVER);
  });

  test('a cell is added, and gets its share of the users while one of them is used', async (t) => {
    await platform.addCell('c');
    const plan = await platform.cellctl<{ buckets: { bucket: number }[] }>('rebalance', '--dry-run');
    const moving = new Set(plan.buckets.map(({ bucket }) => bucket));
    // Who was moved alone stays where a person wanted it.
    const others = USERS.filter((address) => address !== MOVER);
    const movers = others.filter((address) => moving.has(hashKey(keyOf(address)).bucket));
    const stayers = others.filter((address) => !movers.includes(address));
    assert.ok(movers.length > 0 && stayers.length > 0, 'some move');
    const before = await mailboxes();
    await using load = await MoveLoad.start(platform, movers[0] ?? '');
    const { logs } = await platform.cellctl<{ logs: number }>('rebalance');
    t.diagnostic(`${logs} logs moved`);
    assert.ok(logs >= movers.length);
    await load.assertGood();
    for (const address of movers) assert.equal(await cellOf(address), 'c', address);
    const now = await mailboxes();
    for (const [index, address] of USERS.entries())
      if (address !== movers[0]) assert.deepEqual(now[index], before[index], address);
    const again = await platform.cellctl<{ buckets: unknown[]; unfinished: unknown[] }>(
      'rebalance',
      '--dry-run',
    );
    assert.deepEqual([again.buckets, again.unfinished], [[], []]);
  });

  test('a platform that is lost comes back from its backups: the same users, ids, states and bytes', async () => {
    const url = `file:${join(folder, 'backups')}`;
    const first = await platform.cellctl<{ keys: number }>('backup', '--to', url);
    assert.equal(first.keys, 2 * USERS.length, 'users and their addresses');
    await send(platform, { to: RECEIVER, subject: 'after the backup' });
    const next = await platform.cellctl<{ added: { entries: number } }>('backup', '--to', url);
    assert.equal(next.added.entries, 1);
    await platform.cellctl('backup', 'verify', '--from', url);
    const original = await mailboxes();
    await platform[Symbol.asyncDispose]();
    platform = await startRealPlatform(hbase, 'second');
    const restored = await platform.cellctl<{ users: number; skipped: unknown[] }>('restore', '--from', url);
    assert.deepEqual([restored.users, restored.skipped], [USERS.length, []]);
    assert.deepEqual(await mailboxes(), original);
    await send(platform, { to: RECEIVER, subject: 'goes on' });
    assert.equal((await (await signIn(platform, RECEIVER, PASSWORD)).subjects())[0], 'goes on');
  });
});
