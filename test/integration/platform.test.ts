// The embedded platform as a person meets it: started by its command, used through its doors, killed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { readNote } from '../../embedded/home.ts';
import { appServerPlace } from '../../operator/outside/app-server-place.ts';
import { discoveryAdmin } from '../../operator/outside/discovery.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

type Node = { cell: string; node: string; state: string; address: string; pid: number; users: number };
type Where = { cell: string; node: string; userId: string };

let platform: PlatformUnderTest;
let alice: JmapClient;

before(async () => {
  platform = await startPlatform();
  alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
});

after(async () => {
  await platform[Symbol.asyncDispose]();
});

async function send(to: string, subject: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, secure: false });
  await transport.sendMail({ from: 'you@example.org', to, subject, text: `About ${subject}` });
  transport.close();
}

test('its output ends in the line that says it is ready', () => {
  assert.equal(platform.output.at(-1), 'Cellpost is ready');
});

test('a mail sent to alice is in her mailbox as soon as it is acknowledged, and not in the one of bob', async () => {
  await send('alice@cellpost.test', 'hello');
  assert.deepEqual(await alice.subjects(), ['hello']);
  const bob = await openJmap(platform.webUrl, 'bob@cellpost.test', 'demo');
  assert.deepEqual(await bob.subjects(), []);
  const [response] = await bob.call(['Email/query', { accountId: alice.accountId }, '0']);
  assert.equal(response?.[0], 'error');
  assert.equal(response?.[1].type, 'accountNotFound');
});

test('a recipient that nobody is gets 550', async () => {
  await assert.rejects(send('nobody@cellpost.test', 'lost'), /550/);
});

test('cellctl lists four serving app servers, each a process of its own, and says where alice is', async () => {
  const nodes = await platform.cellctl<Node[]>('nodes');
  assert.deepEqual(nodes.map((node) => `${node.cell} ${node.node} ${node.state}`).sort(), [
    'a a-0 serving',
    'a a-1 serving',
    'b b-0 serving',
    'b b-1 serving',
  ]);
  assert.equal(new Set(nodes.map((node) => node.pid)).size, 4);
  const where = await platform.cellctl<Where>('where', 'alice@cellpost.test');
  assert.ok(nodes.some((node) => node.node === where.node && node.cell === where.cell));
});

test('an app server killed with -9 is stood in for by its neighbour, and takes its users back', async () => {
  const owner = await platform.cellctl<Where>('where', 'alice@cellpost.test');
  const nodes = await platform.cellctl<Node[]>('nodes');
  const victim = nodes.find((node) => node.node === owner.node);
  assert.ok(victim);
  process.kill(victim.pid, 'SIGKILL');
  await send('alice@cellpost.test', 'after the crash');
  assert.ok((await alice.subjects()).includes('after the crash'));
  await until(
    async () => {
      const now = await platform.cellctl<Node[]>('nodes');
      const back = now.find((node) => node.node === owner.node);
      return back?.state === 'serving' && back.pid !== victim.pid;
    },
    { timeoutMs: 30_000, what: `${owner.node} to serve again` },
  );
  assert.equal((await platform.cellctl<Where>('where', 'alice@cellpost.test')).node, owner.node);
  assert.ok((await alice.subjects()).includes('after the crash'));
});

test('an app server that is asked to drain owns no user before it ends; mail goes on, and it comes back when asked', async () => {
  const { node, cell } = await platform.cellctl<Where>('where', 'alice@cellpost.test');
  const address = (await platform.cellctl<Node[]>('nodes')).find((one) => one.node === node)?.address;
  const { discoveryUrl = '' } = readNote(platform.home) ?? {};
  const token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
  assert.ok(address);
  const unknown = await fetch(`${address}/drain`, { method: 'POST' });
  assert.equal(unknown.status, 401);
  const discovery = discoveryAdmin(discoveryUrl, token);
  const seen = async (): Promise<string | undefined> =>
    (await discovery.cell(cell))?.nodes.find(({ name }) => name === node)?.state;

  await appServerPlace.drain(address, token);
  await until(async () => (await seen()) === 'draining', { timeoutMs: 10_000, what: 'discovery to see it' });
  await send('alice@cellpost.test', 'while it is drained');
  assert.ok((await alice.subjects()).includes('while it is drained'));
  assert.notEqual((await platform.cellctl<Where>('where', 'alice@cellpost.test')).node, node);

  await appServerPlace.rejoin(address, token);
  await until(async () => (await seen()) === 'serving', { timeoutMs: 10_000, what: 'it to serve again' });
  assert.equal((await platform.cellctl<Where>('where', 'alice@cellpost.test')).node, node);
  assert.ok((await alice.subjects()).includes('while it is drained'));
});

test('everything acknowledged is there after kill -9 of the launcher and a new start', async () => {
  await send('alice@cellpost.test', 'before the fall');
  await platform.kill();
  const again = await until(
    async () => startPlatform({ CELLPOST_HOME: platform.home }).catch(() => undefined),
    { timeoutMs: 60_000, what: 'the platform to start again' },
  );
  platform = again;
  alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
  const subjects = await alice.subjects();
  for (const subject of ['hello', 'after the crash', 'before the fall'])
    assert.ok(subjects.includes(subject), subject);
});

test('a second platform in the same folder is refused with one sentence', async () => {
  await assert.rejects(startPlatform({ CELLPOST_HOME: platform.home }), /Another Cellpost runs from/);
});

test('a port in use is refused with one sentence', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const address = holder.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    await assert.rejects(
      startPlatform({ CELLPOST_SMTP_PORT: String(port) }),
      new RegExp(`Port ${port} is in use`),
    );
  } finally {
    holder.close();
  }
});

test('Ctrl-C ends it cleanly, and a data folder of a newer format is refused', async () => {
  assert.equal(await platform.stop(), 0);
  await writeFile(`${platform.home}/format`, '99\n');
  await assert.rejects(startPlatform({ CELLPOST_HOME: platform.home }), /has format 99/);
});
