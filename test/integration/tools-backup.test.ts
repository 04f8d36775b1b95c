// cellctl backup and restore: a platform is backed up while mail arrives, lost, and brought back elsewhere.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { versitygwMissing } from '../../images/go-program.ts';
import { startVersitygw } from '../real/versitygw.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { addUser, cellctlJson, readMailbox, send, signIn, type Mailbox } from './tools-mailbox.ts';

type Backup = {
  id: string;
  parent: string | null;
  keys: number;
  entries: number;
  added: {
    keys: number;
    entries: number;
    segments: number;
    segmentBytes: number;
    indexBytes: number;
    blobs: number;
    blobBytes: number;
  };
};
type Restored = { users: number; addresses: number; skipped: { key: string; why: string }[] };

const USERS = ['dora', 'emil', 'fritz'].map((name) => `${name}@cellpost.test`);
const PASSWORD = 'open sesame';
const ATTACHMENT_BYTES = 150_000;

let platform: PlatformUnderTest;
let folder: string;
let url: string;
let backups: Backup[] = [];

before(async () => {
  platform = await startPlatform();
  folder = await mkdtemp(join(tmpdir(), 'cellpost-backup-'));
  url = `file:${join(folder, 'backups')}`;
  for (const address of USERS) await addUser(platform, address, PASSWORD);
  for (let round = 0; round < 5; round++)
    await send(platform, ...USERS.map((to) => ({ to, subject: `mail ${round}`, text: 'x'.repeat(3_000) })));
  await send(
    platform,
    ...USERS.map((to) => ({ to, subject: 'attached', attachment: randomBytes(ATTACHMENT_BYTES) })),
  );
});

after(async () => {
  await platform?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function mailboxes(of: PlatformUnderTest): Promise<Mailbox[]> {
  const found: Mailbox[] = [];
  for (const address of USERS) found.push(await readMailbox(await signIn(of, address, PASSWORD)));
  return found;
}

const backup = async (...args: string[]): Promise<Backup> => {
  const made = await cellctlJson<Backup>(platform, ['backup', '--to', url, ...args]);
  backups.push(made);
  return made;
};

async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

test('the first backup has everything, the next only what is new', async () => {
  const first = await backup();
  assert.equal(first.parent, null);
  assert.equal(first.keys, 2 * (USERS.length + 3), 'users and addresses, those of the demo, too');
  assert.equal(first.added.entries, first.entries);
  assert.equal(first.added.blobs, USERS.length);
  const before = await bytesIn(join(folder, 'backups'));
  assert.ok(before > USERS.length * ATTACHMENT_BYTES);

  const nothing = await backup();
  assert.equal(nothing.parent, first.id);
  assert.deepEqual(
    { keys: nothing.keys, entries: nothing.entries },
    { keys: first.keys, entries: first.entries },
  );
  assert.deepEqual(nothing.added, {
    keys: 0,
    entries: 0,
    segments: 0,
    segmentBytes: 0,
    indexBytes: 0,
    blobs: 0,
    blobBytes: 0,
  });

  await send(platform, { to: USERS[0] ?? '', subject: 'new' });
  const next = await backup();
  assert.deepEqual([next.added.keys, next.added.entries, next.added.blobs], [1, 1, 0]);
  assert.ok(next.added.segmentBytes < 10_000, `wrote ${next.added.segmentBytes} bytes for one mail`);
  let keys = 0;
  for (const cell of ['a', 'b']) {
    const part = await cellctlJson<Backup>(platform, ['backup', '--to', `${url}-cells`, '--cell', cell]);
    assert.equal(part.parent, null);
    keys += part.keys;
  }
  assert.equal(keys, first.keys, 'a backup of each cell has everybody');
  await assert.rejects(cellctlJson(platform, ['backup', '--to', url, '--cell', 'z']), /no cell z/);
  const grown = (await bytesIn(join(folder, 'backups'))) - before;
  assert.ok(grown < 30_000, `two backups grew by ${grown} bytes`);
});

test('backups are listed, and verified by reading everything', async () => {
  const list = await cellctlJson<Backup[]>(platform, ['backup', 'list', '--from', url]);
  assert.deepEqual(
    list.map(({ id }) => id),
    backups.map(({ id }) => id),
  );
  const verified = await cellctlJson<Record<string, number>>(platform, ['backup', 'verify', '--from', url]);
  const last = backups.at(-1);
  assert.deepEqual(
    [verified.keys, verified.entries, verified.blobs],
    [last?.keys, last?.entries, USERS.length],
  );

  const objects = await readdir(join(folder, 'backups'), { recursive: true });
  // The newest of some size is one that the last backup needs; older ones may be of earlier backups alone.
  let segment = '';
  let newestMs = 0;
  for (const name of objects) {
    const path = join(folder, 'backups', name);
    const found = await stat(path);
    if (!found.isFile() || found.size <= 1_000 || name.startsWith('documents') || found.mtimeMs < newestMs)
      continue;
    segment = path;
    newestMs = found.mtimeMs;
  }
  assert.ok(segment, 'an object of the backup');
  const good = await readFile(segment);
  const bad = Buffer.from(good);
  bad[500] = (bad[500] ?? 0) ^ 1;
  await writeFile(segment, bad);
  await assert.rejects(cellctlJson(platform, ['backup', 'verify', '--from', url]), /damaged|hash|index|read/);
  const full = await backup('--full');
  assert.deepEqual([full.parent, full.added.entries], [null, full.entries]);
  await cellctlJson(platform, ['backup', 'verify', '--from', url]);
  await writeFile(segment, good);
});

test('a backup that is killed leaves the one before whole, and the next is whole again', async () => {
  await send(
    platform,
    ...USERS.map((to) => ({ to, subject: 'while it dies', attachment: randomBytes(ATTACHMENT_BYTES) })),
  );
  const documents = async (): Promise<string[]> => await readdir(join(folder, 'backups', 'documents'));
  const objects = async (): Promise<number> =>
    (await readdir(join(folder, 'backups'), { recursive: true })).length;
  const before = { documents: await documents(), objects: await objects() };
  const child = spawn(process.execPath, ['cli/cellctl.ts', 'backup', '--to', url], {
    env: { ...process.env, CELLPOST_HOME: platform.home },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  await until(async () => child.exitCode !== null || (await objects()) > before.objects, {
    timeoutMs: 30_000,
    what: 'the backup to write something',
    intervalMs: 1,
  });
  child.kill('SIGKILL');
  await exited;
  const wasKilled = child.signalCode === 'SIGKILL';
  if (wasKilled) assert.deepEqual(await documents(), before.documents, 'there is no manifest of it');
  await cellctlJson(platform, ['backup', 'verify', '--from', url]);
  const next = await backup();
  if (wasKilled) assert.equal(next.added.entries, USERS.length);
  await cellctlJson(platform, ['backup', 'verify', '--from', url]);
});

/** Begins a restore and kills it when it has restored something. */
async function killOnceOneIsThere(): Promise<void> {
  const child = spawn(process.execPath, ['cli/cellctl.ts', 'restore', '--from', url], {
    env: { ...process.env, CELLPOST_HOME: platform.home },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const blobs = async (): Promise<number> => await bytesIn(join(platform.home, 'blobs'));
  await until(async () => child.exitCode !== null || (await blobs()) > 0, {
    timeoutMs: 30_000,
    what: 'the restore to begin',
    intervalMs: 1,
  });
  child.kill('SIGKILL');
  await exited;
}

test('a lost platform comes back from its backup: the same users, ids, states and bytes', async () => {
  const original = await mailboxes(platform);
  await platform[Symbol.asyncDispose]();
  platform = await startPlatform();
  await killOnceOneIsThere();
  const restored = await cellctlJson<Restored>(platform, ['restore', '--from', url]);
  assert.equal(restored.users, USERS.length);
  assert.deepEqual(
    restored.skipped.map(({ why }) => why.replace(/ than .*/, '')).sort(),
    ['alice', 'bob', 'carol'].map((name) => `The address ${name}@cellpost.test belongs to another user`),
    'the new platform has users of its own of these addresses',
  );
  assert.deepEqual(await mailboxes(platform), original);
  const again = await cellctlJson<Restored>(platform, ['restore', '--from', url]);
  assert.equal(again.users, USERS.length, 'a restore may be repeated');
  assert.deepEqual(await mailboxes(platform), original);
  const [dora = ''] = USERS;
  await send(platform, { to: dora, subject: 'goes on' });
  assert.equal((await (await signIn(platform, dora, PASSWORD)).subjects())[0], 'goes on');
});

test('users who were moved between cells are backed up where they are, and restored wherever the map says', async () => {
  for (const address of USERS) {
    const { cell } = await cellctlJson<{ cell: string }>(platform, ['where', address]);
    await cellctlJson(platform, ['user', 'move', address, cell === 'a' ? 'b' : 'a']);
    await send(platform, { to: address, subject: 'after the move' });
  }
  const original = await mailboxes(platform);
  const moved = await backup();
  assert.ok(moved.added.keys >= USERS.length);
  await cellctlJson(platform, ['backup', 'verify', '--from', url]);
  await platform[Symbol.asyncDispose]();
  platform = await startPlatform();
  const restored = await cellctlJson<Restored>(platform, ['restore', '--from', url]);
  assert.equal(restored.users, USERS.length);
  assert.deepEqual(await mailboxes(platform), original);
  for (const address of USERS) {
    await send(platform, { to: address, subject: 'still there' });
    assert.equal((await (await signIn(platform, address, PASSWORD)).subjects())[0], 'still there');
  }
});

test('a backup goes on upon another history: one that was restored from an older backup', async () => {
  const [dora = ''] = USERS;
  await platform[Symbol.asyncDispose]();
  platform = await startPlatform();
  await cellctlJson<Restored>(platform, [
    'restore',
    '--from',
    url,
    '--at',
    backups[0]?.id ?? '',
    '--user',
    dora,
  ]);
  const client = await signIn(platform, dora, PASSWORD);
  assert.ok(!(await client.subjects()).includes('while it dies'));
  for (let round = 0; round < 6; round++)
    await send(platform, { to: dora, subject: `another history ${round}` });
  const original = await readMailbox(client);
  await backup();
  await cellctlJson(platform, ['backup', 'verify', '--from', url]);

  await platform[Symbol.asyncDispose]();
  platform = await startPlatform();
  const restored = await cellctlJson<Restored>(platform, ['restore', '--from', url, '--user', dora]);
  assert.deepEqual([restored.users, restored.addresses], [1, 1]);
  assert.deepEqual(await readMailbox(await signIn(platform, dora, PASSWORD)), original);
  await assert.rejects(
    cellctlJson(platform, ['restore', '--from', url, '--user', 'nobody@cellpost.test']),
    /nobody of the address/,
  );
});

test('a backup in the platform’s own blob store copies no blobs, and no sweep takes anything of it', async () => {
  await send(platform, {
    to: USERS[0] ?? '',
    subject: 'attached',
    attachment: randomBytes(ATTACHMENT_BYTES),
  });
  const made = await cellctlJson<Backup>(platform, ['backup']);
  assert.equal(made.added.blobs, 0);
  for (let round = 0; round < 2; round++) {
    const swept = await cellctlJson<{ setAside: { blobs: number } }>(platform, [
      'blobs',
      'sweep',
      '--grace',
      '0',
    ]);
    assert.equal(swept.setAside.blobs, 0);
  }
  await cellctlJson(platform, ['backup', 'verify']);
});

test('a backup goes to S3 and comes back', { skip: await versitygwMissing() }, async () => {
  const service = await startVersitygw();
  try {
    const env = { AWS_ACCESS_KEY_ID: service.accessKeyId, AWS_SECRET_ACCESS_KEY: service.secretAccessKey };
    const [dora = ''] = USERS;
    const to = service.blobStoreUrl('backups');
    const original = await readMailbox(await signIn(platform, dora, PASSWORD));
    await cellctlJson(platform, ['backup', '--to', to], env);
    const next = await cellctlJson<Backup>(platform, ['backup', '--to', to], env);
    assert.equal(next.added.entries, 0);
    await cellctlJson(platform, ['backup', 'verify', '--from', to], env);
    await platform[Symbol.asyncDispose]();
    platform = await startPlatform();
    await cellctlJson<Restored>(platform, ['restore', '--from', to, '--user', dora], env);
    assert.deepEqual(await readMailbox(await signIn(platform, dora, PASSWORD)), original);
  } finally {
    await service.close();
  }
});
