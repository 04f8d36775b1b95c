// Addresses that are given to users, moved and released, on a real platform: mail and sign-in follow at once, whoever dies on
// the way, and another platform gets them back.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Aliases } from '../../workloads/common/cell-client/aliases.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { openTestCells } from '../support/cells.ts';
import { cellctlOutput } from '../support/cellctl.ts';
import { basic, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { cellctlJson, send, signIn } from './tools-mailbox.ts';

const [ALICE, BOB] = ['alice@cellpost.test', 'bob@cellpost.test'];
const PASSWORD = 'demo';
const PHONE = '+49 30 123-4567';

let platform: PlatformUnderTest;
let cells: Cells & AsyncDisposable;
let alice: JmapClient;
let bob: JmapClient;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellpost-alias-'));
  platform = await startPlatform();
  cells = await openTestCells(platform.home);
  [alice, bob] = [await signIn(platform, ALICE, PASSWORD), await signIn(platform, BOB, PASSWORD)];
});

after(async () => {
  await cells?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const alias = <T>(...args: string[]): Promise<T> => cellctlJson<T>(platform, ['user', 'alias', ...args]);
const listOf = async (user: string): Promise<string[]> =>
  (await alias<{ addresses: string[] }>('list', user)).addresses;
const mail = (to: string, subject: string): Promise<void> => send(platform, { to, subject });

async function session(address: string): Promise<{ status: number; username?: string; state?: string }> {
  const headers = { authorization: basic(address, PASSWORD) };
  const response = await fetch(`${platform.webUrl}/jmap/session`, { headers });
  return { status: response.status, ...(response.ok ? ((await response.json()) as object) : {}) };
}

test('mail for an alias arrives, its user signs in by it, and the session says that something changed', async () => {
  const before = await session(ALICE);
  await alias('add', ALICE, 'Al@cellpost.test');
  await alias('add', ALICE, 'al@cellpost.test');
  assert.deepEqual(await listOf(ALICE), [ALICE, 'al@cellpost.test']);
  await mail('al@cellpost.test', 'to the alias');
  assert.ok((await alice.subjects()).includes('to the alias'));
  const now = await session('al@cellpost.test');
  assert.deepEqual([now.status, now.username], [200, ALICE]);
  assert.notEqual(now.state, before.state);
  const { aliases } = cells;
  await assert.rejects(aliases.add('al@cellpost.test', bob.accountId), /is taken/);
  await assert.rejects(aliases.add('free@cellpost.test', 'nobody'), /no user nobody/);
  await assert.rejects(aliases.remove(BOB, bob.accountId), /the only address/);
  await assert.rejects(aliases.move(BOB, alice.accountId), /the only address/);
  await assert.rejects(aliases.move('free@cellpost.test', alice.accountId), /Nobody has/);
  await assert.rejects(alias('add', ALICE, '030 1234567'), /neither a mailbox address/);
  const log = await cellctlOutput(['user', 'log', ALICE], { CELLPOST_HOME: platform.home });
  assert.match(log, /addresses are now alice@cellpost\.test, al@cellpost\.test/);
});

test('a phone number is an address, however it is written', async () => {
  await alias('add', ALICE, PHONE);
  const where = await cellctlJson<{ userId: string }>(platform, ['where', 'tel:+49301234567']);
  assert.equal(where.userId, alice.accountId);
  assert.equal((await session('+49 (30) 1234567')).status, 200);
});

test('what is moved goes to its new user from that moment on, what is removed to nobody', async () => {
  await mail('al@cellpost.test', 'the door remembers whose it was');
  const moved = await alias<{ from: string }>('move', 'al@cellpost.test', BOB);
  assert.equal(moved.from, alice.accountId);
  await mail('al@cellpost.test', 'after the move');
  assert.ok((await bob.subjects()).includes('after the move'));
  assert.ok(!(await alice.subjects()).includes('after the move'));
  // The first answer is about the one who signed in by it before.
  assert.equal((await session('al@cellpost.test')).status, 401);
  const now = await session('al@cellpost.test');
  assert.deepEqual([now.status, now.username], [200, BOB]);
  assert.deepEqual(await listOf(ALICE), [ALICE, 'tel:+49301234567']);
  assert.deepEqual(await listOf(BOB), [BOB, 'al@cellpost.test']);

  assert.deepEqual(
    [await alias('remove', BOB, 'al@cellpost.test'), await alias('remove', BOB, 'al@cellpost.test')].map(
      (answer) => (answer as { removed: boolean }).removed,
    ),
    [true, false],
  );
  // Where the door remembers it, and then where it does not.
  for (const subject of ['remembered', 'forgotten'])
    await assert.rejects(mail('al@cellpost.test', subject), { responseCode: 550 });
  assert.equal((await session('al@cellpost.test')).status, 401);
  await cells.aliases.add('al@cellpost.test', bob.accountId);
  await mail('al@cellpost.test', 'given again');
  assert.ok((await bob.subjects()).includes('given again'));
});

test('a change that dies after any of its steps is finished by the same one, and mail waits meanwhile', async () => {
  const address = 'halves@cellpost.test';
  /** Dies after so many requests that change something. */
  const dying = (steps: number): Aliases => {
    let left = steps;
    const send: ConstructorParameters<typeof Aliases>[0] = async (key, options) => {
      if (options.method !== 'GET' && left-- <= 0) throw new Error('dead');
      await cells.assign(key);
      return (await cells.request(key, options)) as Awaited<ReturnType<typeof send>>;
    };
    return new Aliases(send, send);
  };
  const users = [alice.accountId, bob.accountId] as const;
  for (let steps = 0, ended = false; !ended; steps++) {
    await cells.aliases.add(address, users[0]);
    ended = await dying(steps)
      .move(address, users[1])
      .then(
        () => true,
        () => false,
      );
    if (steps === 1) {
      await mail(address, 'waits').catch((error: { responseCode?: number }) =>
        assert.equal(error.responseCode, 451),
      );
    }
    await cells.aliases.move(address, users[1]);
    assert.ok(!(await cells.aliases.list(users[0]))?.includes(address), `moved, ${steps} steps`);
    assert.ok((await cells.aliases.list(users[1]))?.includes(address), `moved, ${steps} steps`);
    await mail(address, `moved after ${steps}`);
    assert.ok((await bob.subjects()).includes(`moved after ${steps}`));
    await dying(steps)
      .remove(address, users[1])
      .catch(() => undefined);
    await cells.aliases.remove(address, users[1]);
    assert.ok(!(await cells.aliases.list(users[1]))?.includes(address), `removed, ${steps} steps`);
    await dying(steps)
      .add(address, users[0])
      .catch(() => undefined);
    await cells.aliases.add(address, users[0]);
    assert.ok((await cells.aliases.list(users[0]))?.includes(address), `added, ${steps} steps`);
  }
});

test('another platform gets the addresses back from a backup and from an export, but none that somebody has', async () => {
  const [dora, emil, backups] = [
    'dora@cellpost.test',
    'emil@cellpost.test',
    `file:${join(folder, 'backups')}`,
  ];
  for (const [user, aliases] of [
    [dora, ['d2@cellpost.test', 'd3@cellpost.test']],
    [emil, ['e2@cellpost.test']],
  ] as const) {
    const userId = await cells.createUser({ addresses: [user], displayName: '', password: PASSWORD });
    for (const address of aliases) await cells.aliases.add(address, userId);
  }
  await cellctlJson(platform, ['backup', '--to', backups]);
  await cellctlJson(platform, ['user', 'export', emil, join(folder, 'emil')]);
  await using other = await startPlatform();
  const there = <T>(...args: string[]): Promise<T> => cellctlJson<T>(other, args);
  await there('user', 'alias', 'add', ALICE, 'd3@cellpost.test');
  await there('restore', '--from', backups, '--user', 'd2@cellpost.test');
  const restored = await there<{ addresses: string[] }>('user', 'alias', 'list', dora);
  assert.deepEqual(restored.addresses, [dora, 'd2@cellpost.test']);
  const imported = await there<{ addresses: string[] }>('user', 'import', join(folder, 'emil'));
  assert.deepEqual(imported.addresses, [emil, 'e2@cellpost.test']);
  for (const [user, address] of [
    [ALICE, 'd3@cellpost.test'],
    [dora, 'd2@cellpost.test'],
    [emil, 'e2@cellpost.test'],
  ] as const) {
    await send(other, { to: address, subject: `to ${address}` });
    assert.ok((await (await signIn(other, user, PASSWORD)).subjects()).includes(`to ${address}`));
  }
});
