// Mail that was filed while the user index was away is filed again though its app server was killed and nobody comes by. The index
// is a stub here, as a real one reads the logs of users and so opens them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { userKey } from '../../workloads/common/keys.ts';
import { openJmap } from '../support/jmap.ts';
import { readLogLines } from '../support/log-lines.ts';
import { until } from '../support/wait.ts';
import { startKillablePlatform, type KillablePlatform } from './killable-platform.ts';

const WAIT = { timeoutMs: 60_000, intervalMs: 100 };
const PASSWORD = 'secret word';
const USERS = 6;
const FRIEND = 'friend@elsewhere.test';

let platform: KillablePlatform;
/** By address. */
const userIds = new Map<string, string>();
let isAway = true;
const index = createServer((_request, response) => {
  if (isAway) response.writeHead(503).end();
  else
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ userId: 'a-friend', degree: 1 }));
});

before(async () => {
  index.listen(0, '127.0.0.1');
  await once(index, 'listening');
  const address = index.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  platform = await startKillablePlatform({ userIndexUrl: `http://127.0.0.1:${port}` });
  for (let n = 0; n < USERS; n++) {
    const own = `u${n}@unsure.test`;
    const user = { addresses: [own], displayName: '', password: PASSWORD };
    userIds.set(own, await platform.cells.createUser(user));
  }
});
after(async () => {
  await platform?.[Symbol.asyncDispose]();
  index.closeAllConnections();
  index.close();
});

const keys = (): string[] => [...userIds.values()].map((id) => userKey(id)).toSorted();

/** The users on the lists of all app servers. */
async function listed(): Promise<string[]> {
  const folder = join(platform.home, 'blobs', 'documents');
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    names
      .filter((name) => name.startsWith('unsure-mail-'))
      .map((name) => readFile(join(folder, name), 'utf8')),
  );
  return [...new Set(texts.flatMap((text) => (JSON.parse(text) as { keys: string[] }).keys))].toSorted();
}

async function send(subject: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort });
  for (const to of userIds.keys()) await transport.sendMail({ from: FRIEND, to, subject, text: 'x' });
  transport.close();
}

/** What the app servers log: a look into the mailboxes would open the logs. */
async function untilFiledAgain(times: number): Promise<void> {
  await until(
    async () => {
      const lines = await readLogLines(join(platform.home, 'logs'));
      const again = lines.filter(({ msg }) => String(msg).endsWith('filed unsure is filed again'));
      return keys().every((key) => again.filter((line) => line.key === key).length === times);
    },
    { ...WAIT, what: `all mail to be filed again (${times})` },
  );
}

async function expectInInbox(subject: string): Promise<void> {
  for (const address of userIds.keys()) {
    const client = await openJmap(platform.webUrl, address, PASSWORD);
    assert.ok((await client.subjects('inbox')).includes(subject), `${subject} of ${address}`);
  }
}

test('after kill -9 of all app servers each takes up what it left', async () => {
  await send('first');
  await until(async () => (await listed()).join() === keys().join(), {
    ...WAIT,
    what: 'all users on the lists',
  });
  for (const { pid } of platform.appServers) process.kill(pid ?? 0, 'SIGKILL');
  isAway = false;
  await untilFiledAgain(1);
  await expectInInbox('first');
});

test('of a server that does not come back the others of its cell take it up', async () => {
  isAway = true;
  await send('second');
  await until(async () => (await listed()).join() === keys().join(), {
    ...WAIT,
    what: 'all users on the lists',
  });
  // One of each cell, for good.
  for (const node of platform.appServers.filter(({ name }) => name.endsWith('-0'))) node.kill();
  isAway = false;
  await untilFiledAgain(2);
  await expectInInbox('second');
});
