// cellctl user export and import: a user in a folder, for mail programs and for another platform.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { addUser, cellctlJson, readMailbox, send, signIn, type Mailbox } from './tools-mailbox.ts';

const ADDRESS = 'dora@cellpost.test';
const PASSWORD = 'open sesame';

let first: PlatformUnderTest;
let second: PlatformUnderTest;
let folder: string;
let original: Mailbox;

before(async () => {
  [first, second] = await Promise.all([startPlatform(), startPlatform()]);
  folder = await mkdtemp(join(tmpdir(), 'cellpost-export-'));
  await addUser(first, ADDRESS, PASSWORD);
  await send(
    first,
    { to: ADDRESS, subject: 'plain', text: 'From the start\n>From quoted\nFrom: no' },
    { to: ADDRESS, subject: 'attached', attachment: randomBytes(150_000) },
    { to: ADDRESS, subject: 'gone' },
    { to: ADDRESS, subject: 'filed' },
  );
  const dora = await signIn(first, ADDRESS, PASSWORD);
  const { accountId } = dora;
  const made = await dora.call([
    'Mailbox/set',
    {
      accountId,
      create: { parent: { name: 'a/b: "Parent"' }, child: { name: 'Child', parentId: '#parent' } },
    },
    '0',
  ]);
  const created = (made[0]?.[1].created ?? {}) as Record<string, { id: string }>;
  const id = async (subject: string): Promise<string> => {
    const [found] = await dora.call(['Email/query', { accountId, filter: { subject } }, '0']);
    return ((found?.[1].ids ?? []) as string[])[0] ?? '';
  };
  await dora.call([
    'Email/set',
    {
      accountId,
      update: {
        [await id('plain')]: { keywords: { $seen: true, $flagged: true, work: true } },
        [await id('filed')]: { mailboxIds: { [created.child?.id ?? '']: true } },
      },
      destroy: [await id('gone')],
    },
    '0',
  ]);
  original = await readMailbox(dora);
});

after(async () => {
  await first?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const target = (): string => join(folder, 'dora');

test('an export has the mailboxes as mbox files that mail programs read', async () => {
  const result = await cellctlJson<Record<string, unknown>>(first, ['user', 'export', ADDRESS, target()]);
  assert.equal(result.emails, 3);
  assert.equal(result.blobs, 1);
  const files = (await readdir(join(target(), 'mbox'), { recursive: true })).filter((name) =>
    name.endsWith('.mbox'),
  );
  assert.ok(files.includes('Trash.mbox'), 'empty ones, too');
  const other = await readFile(join(target(), 'mbox', 'Other.mbox'), 'latin1');
  const messages = other.split(/^(?=From )/m);
  assert.equal(messages.length, 2);
  const [plain = '', attached = ''] = messages;
  assert.match(
    plain,
    /^From you@example\.org \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nX-IMAPbase: \d+ 0{10} work\nStatus: RO\nX-Status: F\nX-Keywords: work\n/,
  );
  assert.match(plain, /\n>From the start\n>>From quoted\nFrom: no\n/);
  assert.match(attached, /^Subject: attached$/m);
  assert.ok(!other.includes('gone'));
  assert.match(
    await readFile(join(target(), 'mbox', 'a_b_ _Parent_', 'Child.mbox'), 'latin1'),
    /^Subject: filed$/m,
  );
  await assert.rejects(cellctlJson(first, ['user', 'export', ADDRESS, target()]), /is not empty/);
});

test('the same user comes of it on another platform: ids, states, password; also by importing twice', async () => {
  for (let round = 0; round < 2; round++) {
    const imported = await cellctlJson<Record<string, unknown>>(second, ['user', 'import', target()]);
    assert.deepEqual(imported.addresses, [ADDRESS]);
  }
  const dora = await signIn(second, ADDRESS, PASSWORD);
  assert.deepEqual(await readMailbox(dora), original);
  await send(second, { to: ADDRESS, subject: 'goes on' });
  assert.deepEqual((await dora.subjects())[0], 'goes on');
});

test('an import touches nobody who has another history or the address', async () => {
  await send(first, { to: ADDRESS, subject: 'here it goes on otherwise' });
  const before = await readMailbox(await signIn(second, ADDRESS, PASSWORD));
  const later = join(folder, 'later');
  await cellctlJson(first, ['user', 'export', ADDRESS, later]);
  await assert.rejects(cellctlJson(second, ['user', 'import', later]), /another log/);
  assert.deepEqual(await readMailbox(await signIn(second, ADDRESS, PASSWORD)), before);
  const alice = join(folder, 'alice');
  await cellctlJson(first, ['user', 'export', 'alice@cellpost.test', alice]);
  await assert.rejects(cellctlJson(second, ['user', 'import', alice]), /belongs to another user/);
});

test('a damaged or cut dump is refused before anything is written', async () => {
  const path = join(target(), 'log.cellpost');
  const good = await readFile(path);
  const damaged = Buffer.from(good);
  damaged[Math.floor(good.length / 2)] = (damaged[Math.floor(good.length / 2)] ?? 0) ^ 1;
  const newer = Buffer.from(good);
  // The header's format: the byte after the magic, the frame's length, the field's tag and length, and its own tag.
  newer[8 + 4 + 2 + 1] = 9;
  for (const [bytes, message] of [
    [damaged, /dump/],
    [good.subarray(0, good.length - 10), /ends? inside|cut off/],
    [Buffer.from('no dump'), /no dump/],
    [newer, /format 9/],
  ] as const) {
    await writeFile(path, bytes);
    await assert.rejects(cellctlJson(second, ['user', 'import', target()]), message);
  }
  await writeFile(path, good);
});
