// cellctl rebalance: a cell is added, and its share of the buckets moves there while mail comes in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { openTestCells } from '../support/cells.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { MoveLoad } from './move-load.ts';

const CELLCTL = fileURLToPath(new URL('../../cli/cellctl.ts', import.meta.url));
const ADDED_USERS = 30;

type Plan = { dryRun: boolean; buckets: { bucket: number; from: string; to: string }[]; logs: number };
type Place = { cell: string };

let home: string;
let platform: PlatformUnderTest;
const addresses = Array.from({ length: ADDED_USERS }, (_, n) => `user${n}@cellpost.test`);

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'cellpost-rebalance-'));
  const first = await startPlatform({ CELLPOST_HOME: home });
  try {
    await addUsers(addresses);
  } finally {
    await first.stop();
  }
  platform = await startPlatform({ CELLPOST_HOME: home, CELLPOST_CELLS: '3' });
});

async function addUsers(list: readonly string[]): Promise<void> {
  await using cells = await openTestCells(home);
  await Promise.all(
    list.map((address) => cells.createUser({ addresses: [address], displayName: address, password: 'demo' })),
  );
}

after(async () => {
  await platform?.[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

const rebalance = (...args: string[]): Promise<Plan> => platform.cellctl<Plan>('rebalance', ...args);

async function shares(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const address of addresses) {
    const { cell } = await platform.cellctl<Place>('where', address);
    found.set(cell, (found.get(cell) ?? 0) + 1);
  }
  return found;
}

test('a cell that was added gets its share, under load; broken off, the same command goes on', async () => {
  const plan = await rebalance('--dry-run');
  assert.ok(plan.dryRun);
  assert.ok(plan.buckets.length > 5);
  assert.ok(plan.buckets.every(({ to }) => to === 'c'));
  await using alice = await MoveLoad.start(platform, 'alice@cellpost.test');
  await using bob = await MoveLoad.start(platform, 'bob@cellpost.test');
  await using added = await MoveLoad.start(platform, addresses[0] ?? '');
  // Some by one that is killed in the middle.
  const killed = spawn(process.execPath, [CELLCTL, 'rebalance', '--json'], {
    env: { ...process.env, CELLPOST_HOME: home },
    stdio: 'ignore',
  });
  const exited = once(killed, 'exit');
  await until(async () => (await rebalance('--dry-run')).buckets.length < plan.buckets.length, {
    timeoutMs: 30_000,
    what: 'the first bucket to move',
  });
  killed.kill('SIGKILL');
  await exited;
  await rebalance();
  const left = await rebalance('--dry-run');
  assert.deepEqual(left.buckets, []);
  const now = await shares();
  assert.ok((now.get('c') ?? 0) > 0, JSON.stringify([...now]));
  for (const load of [alice, bob, added]) await load.assertGood();
});

test('new users of buckets that moved are made where their buckets are', async () => {
  for (let n = 0; n < 5; n++) {
    const address = `later${n}@cellpost.test`;
    await addUsers([address]);
    assert.match((await platform.cellctl<Place>('where', address)).cell, /^[abc]$/);
  }
});
