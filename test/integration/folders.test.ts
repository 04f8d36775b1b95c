// Where mail is filed on a real platform with a real user index: friends, strangers, and the index killed with -9.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import type { PlatformNote } from '../../embedded/home.ts';
import { openCells } from '../../workloads/common/cell-client/cells.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { cellctlOutput } from '../support/cellctl.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const PASSWORD = 'secret word';
const WAIT = { timeoutMs: 40_000, intervalMs: 200 };

let platform: PlatformUnderTest;
let note: PlatformNote;
let token: string;
const ids = new Map<string, string>();

const addressOf = (name: string): string => `${name}@folders.test`;

before(async () => {
  platform = await startPlatform({ CELLPOST_USER_INDEX_TIMEOUT_MS: '1500' });
  note = JSON.parse(await readFile(join(platform.home, 'platform.json'), 'utf8')) as PlatformNote;
  token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
  const logger = createLogger('test', 'silent');
  const cells = await openCells({ discoveryUrl: note.discoveryUrl, token, logger });
  // ann - bea - cid; eli - fay - gus; dan knows nobody.
  for (const name of ['ann', 'bea', 'cid', 'dan', 'eli', 'fay', 'gus'])
    ids.set(
      name,
      await cells.createUser({ addresses: [addressOf(name)], displayName: name, password: PASSWORD }),
    );
  await cells.close();
  await befriend('ann', 'bea');
  await befriend('bea', 'cid');
  await befriend('eli', 'fay');
  await befriend('fay', 'gus');
});

after(() => platform[Symbol.asyncDispose]());

async function befriend(a: string, b: string): Promise<void> {
  const response = await fetch(`${note.userIndexUrl}/v1/friendships/${ids.get(a)}/${ids.get(b)}`, {
    method: 'PUT',
    headers: { authorization: bearer(token) },
  });
  assert.equal(response.status, 200, await response.text());
}

/** From a machine that the MTA proxy trusts. */
async function send(from: string, to: string, subject: string, cc?: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort });
  await transport.sendMail({
    from,
    to: addressOf(to),
    ...(cc && { cc, envelope: { from, to: addressOf(to) } }),
    subject,
    text: 'x',
  });
  transport.close();
}

/** @throws also when what it compares differs */
const cellctl = (...args: string[]): Promise<string> => cellctlOutput(args, { CELLPOST_HOME: platform.home });

const signIn = (name: string): Promise<JmapClient> => openJmap(platform.webUrl, addressOf(name), PASSWORD);

/** The name of the mailbox where the message with this subject lies. */
async function folderOf({ accountId, call }: JmapClient, subject: string): Promise<string | undefined> {
  const [, [, got] = [], [, boxes] = []] = await call(
    ['Email/query', { accountId, filter: { subject } }, 'q'],
    [
      'Email/get',
      {
        accountId,
        '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
        properties: ['mailboxIds'],
      },
      'g',
    ],
    ['Mailbox/get', { accountId, ids: null, properties: ['name'] }, 'm'],
  );
  const [email] = (got?.list ?? []) as { mailboxIds: Record<string, boolean> }[];
  const mailboxes = (boxes?.list ?? []) as { id: string; name: string }[];
  return mailboxes.find(({ id }) => email?.mailboxIds[id])?.name;
}

test('mail from a friend and from a friend of a friend goes to the inbox, that of strangers to Other', async () => {
  const ann = await signIn('ann');
  const senders = { friend: addressOf('bea'), 'friend of a friend': addressOf('CID'), me: addressOf('ann') };
  for (const [subject, from] of Object.entries(senders)) {
    await send(from, 'ann', subject);
    assert.equal(await folderOf(ann, subject), 'Inbox', subject);
  }
  for (const [subject, from] of Object.entries({
    'user unknown to me': addressOf('dan'),
    outsider: 'eve@elsewhere.test',
  })) {
    await send(from, 'ann', subject);
    assert.equal(await folderOf(ann, subject), 'Other', subject);
  }
});

test('who wants to hear from friends only refuses all others alike, and tells them nothing of friends', async () => {
  const { accountId, call } = await signIn('bea');
  const set = async (reach: string): Promise<void> => {
    const [answer] = await call([
      'PrivacySettings/set',
      { accountId, update: { singleton: { reach } } },
      '0',
    ]);
    assert.deepEqual(answer?.[1].updated, { singleton: null });
  };
  await set('friends');
  await send(addressOf('ann'), 'bea', 'a friend');
  const answers = new Set<string>();
  for (const from of [addressOf('dan'), 'eve@elsewhere.test', addressOf('nobody')])
    await send(from, 'bea', 'a stranger').then(
      () => assert.fail(`${from} got through`),
      (error: Error) => answers.add(error.message),
    );
  assert.equal(answers.size, 1, 'the answer does not depend on who asks');
  const [answer = ''] = answers;
  assert.match(answer, /550 5\.7\.1 The recipient takes no mail from this sender$/);
  await set('everyone');
});

test('whoever a user wrote to is no stranger when they answer', async () => {
  const ann = await signIn('ann');
  await send(addressOf('dan'), 'ann', 'before');
  assert.equal(await folderOf(ann, 'before'), 'Other');
  // A letter in which somebody elsewhere is named, too: the copy for Dan comes here.
  await send(addressOf('ann'), 'dan', 'a letter', 'pen pal <pen@elsewhere.test>');
  // It is noted once the letter has been answered for.
  const answers = async (from: string): Promise<boolean> => {
    const subject = `answer ${randomUUID()}`;
    await send(from, 'ann', subject);
    return (await folderOf(ann, subject)) === 'Inbox';
  };
  await until(() => answers(addressOf('dan')), { ...WAIT, what: 'an answer of Dan in the inbox' });
  await until(() => answers('pen@elsewhere.test'), {
    ...WAIT,
    what: 'an answer of the pen pal in the inbox',
  });
  const log = await cellctl('user', 'log', addressOf('ann'));
  assert.match(log, /wrote to dan@folders\.test, pen@elsewhere\.test$/m);
});

test('moving a message teaches where mail of its sender goes, and the log tells so', async () => {
  const ann = await signIn('ann');
  const { accountId, call } = ann;
  const move = async (subject: string, to: string): Promise<void> => {
    const [, query] = (await call(['Email/query', { accountId, filter: { subject } }, '0']))[0] ?? [];
    const [, got] = (await call(['Mailbox/get', { accountId }, '0']))[0] ?? [];
    const box =
      ((got?.list ?? []) as { id: string; name: string }[]).find(({ name }) => name === to)?.id ?? '';
    const [id = ''] = (query?.ids ?? []) as string[];
    const update = { [id]: { mailboxIds: { [box]: true } } };
    const [answer] = await call(['Email/set', { accountId, update }, '0']);
    assert.deepEqual(answer?.[1].updated, { [id]: null });
  };
  await send('shop@elsewhere.test', 'ann', 'first offer');
  await move('first offer', 'Inbox');
  await send('shop@elsewhere.test', 'ann', 'second offer');
  assert.equal(await folderOf(ann, 'second offer'), 'Inbox');
  await send(addressOf('bea'), 'ann', 'from bea');
  await move('from bea', 'Other');
  await send(addressOf('bea'), 'ann', 'from bea again');
  assert.equal(await folderOf(ann, 'from bea again'), 'Other');
  const [settings] = await call(['FilingSettings/get', { accountId, ids: null }, '0']);
  const [{ senders } = {}] = (settings?.[1].list ?? []) as { senders: Record<string, string> }[];
  assert.deepEqual(senders, { 'shop@elsewhere.test': 'inbox', [addressOf('bea')]: 'other' });
  const log = await cellctl('user', 'log', addressOf('ann'));
  assert.match(log, /mail from shop@elsewhere\.test goes to inbox, learned from the move of "first offer"/);
  const update = { singleton: { [`senders/${addressOf('bea')}`]: null } };
  const [set] = await call(['FilingSettings/set', { accountId, update }, '0']);
  assert.deepEqual(set?.[1].updated, { singleton: null });
  await send(addressOf('bea'), 'ann', 'a friend as ever');
  assert.equal(await folderOf(ann, 'a friend as ever'), 'Inbox');
});

test('while the index is away mail is taken and filed by what is known, and filed again when it is back', async (t) => {
  const eli = await signIn('eli');
  const before = await indexPids();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  // It is started again by itself: paused as soon as it is there, so that it stays away for a while.
  const paused = await until(async () => (await indexPids()).find((pid) => !before.includes(pid)), {
    ...WAIT,
    intervalMs: 10,
  });
  process.kill(paused, 'SIGSTOP');
  t.after(() => process.kill(paused, 'SIGCONT'));
  await Promise.all([
    send(addressOf('fay'), 'eli', 'friend in the dark'),
    send(addressOf('gus'), 'eli', 'friend of a friend in the dark'),
    send(addressOf('dan'), 'eli', 'stranger in the dark'),
    send(addressOf('fay'), 'eli', 'friend who is read'),
  ]);
  for (const subject of ['friend in the dark', 'friend of a friend in the dark', 'stranger in the dark'])
    assert.equal(await folderOf(eli, subject), 'Other', subject);
  const { accountId, call } = eli;
  const [found] = await call(['Email/query', { accountId, filter: { subject: 'who is read' } }, '0']);
  const [read = ''] = (found?.[1].ids ?? []) as string[];
  await call(['Email/set', { accountId, update: { [read]: { 'keywords/$seen': true } } }, '0']);
  process.kill(paused, 'SIGCONT');
  for (const subject of ['friend in the dark', 'friend of a friend in the dark'])
    await until(async () => (await folderOf(eli, subject)) === 'Inbox', { ...WAIT, what: subject });
  const log = await until(async () => {
    const text = await cellctl('user', 'log', addressOf('eli'));
    return /"stranger in the dark" \(\S+\) stays: its sender is known now$/m.test(text) && text;
  }, WAIT);
  assert.match(log, /"friend in the dark" \(\S+\) from fay@folders\.test added to Other, .*filed unsure/);
  assert.match(log, /"friend in the dark" \(\S+\) refiled to Inbox: its sender is known now$/m);
  assert.equal(await folderOf(eli, 'stranger in the dark'), 'Other');
  assert.equal(await folderOf(eli, 'friend who is read'), 'Other', 'the user has seen it there');
  for (const name of ids.keys()) await cellctl('user', 'verify', addressOf(name));
});

/** The processes of this platform's user index, by what they were started as. */
async function indexPids(): Promise<number[]> {
  const launcher = String(platform.process.pid);
  const pids: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const isOurs = /^PPid:\t(\d+)$/m.exec(status)?.[1] === launcher && !/^State:\tZ/m.test(status);
    if (isOurs && line.split('\0').includes('user-index')) pids.push(Number(pid));
  }
  return pids;
}
