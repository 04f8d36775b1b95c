// cellctl user restore: a mailbox goes back to how it was, on a real platform, also when the app server dies on the way.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { cellctlOutput } from '../support/cellctl.ts';
import type { JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { addUser, cellctlJson, readMailbox, send, signIn } from './tools-mailbox.ts';

type Counts = { added: number; changed: number; destroyed: number };
type Summary = {
  seqBefore: number;
  toSeq: number;
  seqAfter: number;
  mailboxes: Counts;
  emails: Counts;
  newerEmails: number;
};
type Line = { seq: number; time: string };
/** What is the same when a message has another id. */
type Seen = { subject: string; keywords: string[]; mailboxes: string[]; text: string; attachments: number[] };

const ADDRESS = 'dora@cellpost.test';
const PASSWORD = 'open sesame';
const MANY = 300;

let platform: PlatformUnderTest;
let dora: JmapClient;

before(async () => {
  platform = await startPlatform();
  await addUser(platform, ADDRESS, PASSWORD);
  dora = await signIn(platform, ADDRESS, PASSWORD);
});

after(async () => {
  await platform?.[Symbol.asyncDispose]();
});

const restore = async (...args: string[]): Promise<Summary> =>
  await cellctlJson<Summary>(platform, ['user', 'restore', ADDRESS, ...args]);

async function lastEntry(): Promise<Line> {
  const output = await cellctlOutput(['user', 'log', ADDRESS, '--json'], { CELLPOST_HOME: platform.home });
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Line;
}

async function see(): Promise<Seen[]> {
  const { mailboxes, emails } = await readMailbox(dora);
  const boxes = new Map(
    (mailboxes as { id: string; name: string; parentId: string | null }[]).map((box) => [box.id, box]),
  );
  const path = (id: string | null): string => {
    const box = id === null ? undefined : boxes.get(id);
    return box ? `${path(box.parentId)}/${box.name}` : '';
  };
  type Email = {
    subject: string;
    keywords: Record<string, boolean>;
    mailboxIds: Record<string, boolean>;
    bodyValues: Record<string, { value: string }>;
    attachments: { size: number }[];
  };
  return (emails as Email[])
    .map(({ subject, keywords, mailboxIds, bodyValues, attachments }) => ({
      subject,
      keywords: Object.keys(keywords).sort(),
      mailboxes: Object.keys(mailboxIds).map(path).sort(),
      text: Object.values(bodyValues)
        .map(({ value }) => value)
        .join('\n'),
      attachments: attachments.map(({ size }) => size),
    }))
    .sort((a, b) => (a.subject < b.subject ? -1 : 1));
}

async function idsOf(filter: Record<string, unknown> | null): Promise<string[]> {
  const [found] = await dora.call(['Email/query', { accountId: dora.accountId, filter }, '0']);
  return (found?.[1].ids ?? []) as string[];
}

async function set(args: Record<string, unknown>): Promise<void> {
  const [answer] = await dora.call(['Email/set', { accountId: dora.accountId, ...args }, '0']);
  assert.equal(answer?.[0], 'Email/set');
}

test('a mailbox goes back to an entry and to a time; later mail stays; the restore can be taken back', async () => {
  await send(
    platform,
    { to: ADDRESS, subject: 'a plain' },
    { to: ADDRESS, subject: 'b attached', attachment: randomBytes(150_000) },
    { to: ADDRESS, subject: 'c filed' },
    { to: ADDRESS, subject: 'd flagged' },
  );
  const { accountId } = dora;
  const [made] = await dora.call([
    'Mailbox/set',
    { accountId, create: { p: { name: 'Projects' }, c: { name: 'Post', parentId: '#p' } } },
    '0',
  ]);
  const created = (made?.[1].created ?? {}) as Record<string, { id: string }>;
  const [parent, child] = [created.p?.id ?? '', created.c?.id ?? ''];
  const [filed = ''] = await idsOf({ subject: 'filed' });
  const [flagged = ''] = await idsOf({ subject: 'flagged' });
  await set({
    update: { [filed]: { mailboxIds: { [child]: true } }, [flagged]: { 'keywords/$flagged': true } },
  });
  const then = await see();
  const moment = await lastEntry();
  // Times of entries are milliseconds: what comes now is later.
  await until(() => Date.now() > Date.parse(moment.time), { timeoutMs: 1_000, intervalMs: 1 });

  await set({ destroy: [filed, ...(await idsOf({ subject: 'attached' }))] });
  await set({ update: { [flagged]: { 'keywords/$flagged': null, 'keywords/$seen': true } } });
  await dora.call(['Mailbox/set', { accountId, destroy: [child] }, '0']);
  await dora.call(['Mailbox/set', { accountId, update: { [parent]: { name: 'Old projects' } } }, '0']);
  await send(platform, { to: ADDRESS, subject: 'z later' });
  const later = await see();

  const dry = await restore('--to-seq', String(moment.seq), '--dry-run');
  assert.deepEqual(await see(), later);
  assert.deepEqual(dry.emails, { added: 2, changed: 1, destroyed: 0 });
  assert.deepEqual(dry.mailboxes, { added: 1, changed: 1, destroyed: 0 });

  const done = await restore('--to-time', moment.time);
  assert.equal(done.toSeq, moment.seq);
  assert.deepEqual([done.emails, done.mailboxes, done.newerEmails], [dry.emails, dry.mailboxes, 1]);
  const withLater = [...then, ...later.filter(({ subject }) => subject === 'z later')];
  assert.deepEqual(await see(), withLater);

  const nothing = await restore('--to-seq', String(moment.seq));
  assert.deepEqual(nothing.emails, { added: 0, changed: 0, destroyed: 0 });
  assert.equal(nothing.seqAfter, nothing.seqBefore);

  await restore('--to-seq', String(done.seqBefore), '--no-keep-newer');
  assert.deepEqual(await see(), later, 'taken back');
  await restore('--to-seq', String(moment.seq), '--no-keep-newer');
  assert.deepEqual(await see(), then);
});

test('what can not be restored to is refused with a sentence', async () => {
  await assert.rejects(restore(), /Say what to go back to/);
  await assert.rejects(restore('--to-seq', '100000'), /The log ends at entry \d+/);
  await assert.rejects(restore('--to-time', '2020-01-01T00:00:00Z'), /made later than that/);
  await assert.rejects(
    cellctlJson(platform, ['user', 'restore', 'nobody@cellpost.test', '--to-seq', '1']),
    /Nobody has/,
  );
});

test('an app server that is killed in the middle of a restore leaves nothing out and nothing twice', async () => {
  await send(
    platform,
    ...Array.from({ length: MANY }, (_, index) => ({
      to: ADDRESS,
      subject: `many ${String(index).padStart(3, '0')}`,
      text: 'x'.repeat(20_000),
    })),
  );
  const then = await see();
  const moment = await lastEntry();
  const ids = await idsOf({ subject: 'many' });
  assert.equal(ids.length, MANY);
  await set({ destroy: ids });
  const broken = await lastEntry();
  const where = await cellctlJson<{ node: string }>(platform, ['where', ADDRESS]);
  const nodes = await cellctlJson<{ node: string; pid: number }[]>(platform, ['nodes']);
  const owner = nodes.find(({ node }) => node === where.node);
  assert.ok(owner);
  const child = spawn(
    process.execPath,
    ['cli/cellctl.ts', 'user', 'restore', ADDRESS, '--to-seq', String(moment.seq), '--json'],
    { env: { ...process.env, CELLPOST_HOME: platform.home }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [output, problem] = [text(child.stdout), text(child.stderr)];
  const exited = once(child, 'exit');
  await until(async () => (await idsOf(null)).length > then.length - MANY, {
    timeoutMs: 30_000,
    what: 'the first messages to be back',
    intervalMs: 1,
  });
  process.kill(owner.pid, 'SIGKILL');
  await exited;
  assert.equal(child.exitCode, 0, await problem);
  const summary = JSON.parse(await output) as Summary;
  assert.equal(summary.seqBefore, broken.seq, 'as it was before the first attempt');
  assert.deepEqual(await see(), then);
});
