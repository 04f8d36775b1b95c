// cellctl user log: what happened to a user, told by the log, on a real platform.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { cellctlOutput } from '../support/cellctl.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

type Line = { seq: number; index: number | null; time: string; type: string; [key: string]: unknown };

let platform: PlatformUnderTest;
let alice: JmapClient;

before(async () => {
  platform = await startPlatform();
  alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
});

after(async () => {
  await platform?.[Symbol.asyncDispose]();
});

async function send(subject: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, secure: false });
  await transport.sendMail({ from: 'you@example.org', to: 'alice@cellpost.test', subject, text: 'Hello' });
  transport.close();
}

const env = (): NodeJS.ProcessEnv => ({ CELLPOST_HOME: platform.home });
const log = async (...args: string[]): Promise<string> =>
  await cellctlOutput(['user', 'log', 'alice@cellpost.test', ...args], env());
const lines = async (...args: string[]): Promise<Line[]> =>
  (await log(...args, '--json'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

test('a user log tells what happened, in words and in order, and never a password', async () => {
  await send('first');
  await send('turn \u202Eround \u001B[31m');
  const { accountId } = alice;
  const [query] = await alice.call(['Email/query', { accountId, filter: { subject: 'first' } }, '0']);
  const [id] = (query?.[1].ids ?? []) as string[];
  assert.ok(id);
  const [boxes] = await alice.call(['Mailbox/get', { accountId }, '0']);
  const mailboxes = (boxes?.[1].list ?? []) as { id: string; role: string }[];
  const archive = mailboxes.find(({ role }) => role === 'archive');
  await alice.call(['Email/set', { accountId, update: { [id]: { 'keywords/$seen': true } } }, '0']);
  await alice.call([
    'Email/set',
    { accountId, update: { [id]: { mailboxIds: { [archive?.id ?? '']: true } } } },
    '0',
  ]);
  await alice.call(['Email/set', { accountId, destroy: [id] }, '0']);

  const text = await log();
  assert.match(
    text,
    /^ +1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ {2}[ab]-[01] {2}user \S+ made, .*: alice@cellpost\.test$/m,
  );
  assert.match(text, /password set$/m);
  assert.match(text, /mailbox Archive \(m1-\d+\) made, the archive$/m);
  assert.match(
    text,
    new RegExp(`"first" \\(${id}\\) from you@example\\.org added to Other, \\d+ bytes, request \\S+$`, 'm'),
  );
  assert.match(text, new RegExp(`"first" \\(${id}\\) has keywords \\$seen$`, 'm'));
  assert.match(text, new RegExp(`"first" \\(${id}\\) moved to Archive$`, 'm'));
  assert.match(text, new RegExp(`"first" \\(${id}\\) destroyed$`, 'm'));
  for (const character of ['\u202E', '\u001B'])
    assert.ok(!text.includes(character), 'what strangers wrote does nothing to a terminal');

  const all = await lines();
  assert.deepEqual(
    all.map(({ seq, index }) => [seq, index]),
    all.map(({ seq, index }) => [seq, index]).toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)),
  );
  const password = all.find(({ type }) => type === 'credentialsSet');
  assert.deepEqual(Object.keys(password ?? {}).sort(), ['index', 'seq', 'time', 'type', 'writer']);
  const added = all.find(({ type, emailId }) => type === 'messageAdded' && emailId === id);
  assert.deepEqual(added?.mailboxes, ['Other']);
  const headers = (added?.headers ?? {}) as { subject?: string };
  assert.equal(headers.subject, 'first');
});

test('a part of a log is shown by its numbers or its time, with the names from before', async () => {
  const all = await lines();
  const destroyed = all.at(-1);
  assert.equal(destroyed?.type, 'messageDestroyed');
  const [last] = await lines('--from', String(destroyed.seq));
  assert.equal(last?.subject, 'first');
  assert.equal(
    (await lines('--to', '1')).every(({ seq }) => seq === 1),
    true,
  );
  const since = await lines('--since', destroyed.time);
  assert.ok(since.length > 0 && since.every(({ time }) => time >= destroyed.time));
  assert.equal((await log('--since', new Date(Date.now() + 3_600_000).toISOString())).trim(), '');
});

test('a followed log goes on with what happens', async () => {
  const child = spawn(process.execPath, ['cli/cellctl.ts', 'user', 'log', 'alice@cellpost.test', '-f'], {
    env: { ...process.env, ...env() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(() => output.includes('"first"'), { timeoutMs: 20_000, what: 'what was there' });
    await send('while it is followed');
    await until(() => output.includes('"while it is followed"'), { timeoutMs: 20_000, what: 'the new mail' });
    assert.equal(output.match(/"while it is followed"/g)?.length, 1);
  } finally {
    child.kill('SIGINT');
    await exited;
  }
});

test('the log is shown by user id, too, and nobody has none', async () => {
  const { accountId } = alice;
  assert.match(await cellctlOutput(['user', 'log', accountId], env()), /password set/);
  await assert.rejects(
    cellctlOutput(['user', 'log', 'nobody@cellpost.test'], env()),
    /Nobody has the address nobody@cellpost\.test/,
  );
  await assert.rejects(cellctlOutput(['user', 'log', 'unobodyatall'], env()), /cellctl: /);
  await assert.rejects(
    cellctlOutput(['user', 'log', accountId, '--since', 'yesterday'], env()),
    /A time is like/,
  );
});
