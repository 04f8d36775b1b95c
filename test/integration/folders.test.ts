// Where mail is filed on a real platform with a real user index: friends, strangers, and the index killed with -9.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import type { PlatformNote } from '../../embedded/home.ts';
import { openCells } from '../../workloads/common/cell-client/cells.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';

const PASSWORD = 'secret word';

let platform: PlatformUnderTest;
let note: PlatformNote;
let token: string;
const ids = new Map<string, string>();

const addressOf = (name: string): string => `${name}@folders.test`;

before(async () => {
  platform = await startPlatform();
  note = JSON.parse(await readFile(join(platform.home, 'platform.json'), 'utf8')) as PlatformNote;
  token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
  const logger = createLogger('test', 'silent');
  const cells = await openCells({ discoveryUrl: note.discoveryUrl, token, logger });
  // ann - bea - cid; dan knows nobody.
  for (const name of ['ann', 'bea', 'cid', 'dan'])
    ids.set(
      name,
      await cells.createUser({ addresses: [addressOf(name)], displayName: name, password: PASSWORD }),
    );
  await cells.close();
  await befriend('ann', 'bea');
  await befriend('bea', 'cid');
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
async function send(from: string, to: string, subject: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort });
  await transport.sendMail({ from, to: addressOf(to), subject, text: 'x' });
  transport.close();
}

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
  const { accountId } = await signIn('bea');
  const set = async (reach: string): Promise<void> => {
    const response = await fetch(`${platform.webUrl}/jmap/api`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${addressOf('bea')}:${PASSWORD}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        using: ['urn:ietf:params:jmap:core', 'urn:cellpost:privacy'],
        methodCalls: [['PrivacySettings/set', { accountId, update: { singleton: { reach } } }, '0']],
      }),
    });
    assert.match(await response.text(), /"updated":\{"singleton":null\}/);
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
