// One mail makes one trace, over all processes that work on it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { TraceReceiver } from '../support/trace-receiver.ts';
import { until } from '../support/wait.ts';

const WAIT = { timeoutMs: 20_000, what: 'the trace' };

let receiver: TraceReceiver;
let platform: PlatformUnderTest;

before(async () => {
  receiver = await TraceReceiver.start();
  // Mail from this machine is checked, too.
  platform = await startPlatform({ ...receiver.env, CELLPOST_TRUSTED_NETWORKS: 'none' });
});

after(async () => {
  await platform[Symbol.asyncDispose]();
  await receiver.close();
});

test('one mail makes one trace with the spans of the MTA proxy and of the app server, one below the other', async () => {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, secure: false });
  const mail = { from: 'you@example.org', to: 'alice@cellpost.test', subject: 'traced', text: 'x' };
  const { response } = await transport.sendMail(mail);
  transport.close();
  const id = /Stored as (\S+)/.exec(response)?.[1] ?? '';
  const root = await until(() => receiver.ofMessage(id), WAIT);
  assert.equal(root.service, 'cellpost-mta-proxy');
  const stored = await until(() => receiver.inTrace(root, 'cellpost-app-server', 'sqlite append'), WAIT);
  for (const name of ['parse', 'authenticate'])
    await until(() => receiver.inTrace(root, 'cellpost-mta-proxy', name), WAIT);
  await until(() => receiver.ancestors(stored).length >= 5, WAIT);
  assert.deepEqual(receiver.ancestors(stored), [
    'cellpost-app-server append',
    'cellpost-app-server delivery',
    'cellpost-mta-proxy call app server',
    'cellpost-mta-proxy deliver',
    'cellpost-mta-proxy SMTP message',
  ]);
});

test('a request of a client goes on at the app server, down to its methods', async () => {
  const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
  await alice.subjects('inbox');
  const query = await until(() => receiver.spans.find(({ name }) => name === 'Email/query'), WAIT);
  await until(() => receiver.ancestors(query).length >= 3, WAIT);
  assert.deepEqual(receiver.ancestors(query), [
    'cellpost-app-server POST /users/:userId/jmap/api',
    'cellpost-web call app server',
    'cellpost-web POST /jmap/api',
  ]);
});
