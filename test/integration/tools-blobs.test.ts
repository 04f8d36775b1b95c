// cellctl blobs sweep on a real platform: what mail refers to stays, an upload that nobody used goes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { cellctlOutput } from '../support/cellctl.ts';
import { basic, openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';

type Count = { blobs: number; bytes: number };
type Swept = { found: Count; setAside: Count; takenBack: Count; deleted: Count };

const ATTACHMENT_BYTES = 200_000;
const UPLOAD_BYTES = 5_000;
const AUTHORIZATION = basic('alice@cellpost.test', 'demo');

let platform: PlatformUnderTest;

before(async () => {
  platform = await startPlatform();
});

after(async () => {
  await platform?.[Symbol.asyncDispose]();
});

async function upload(): Promise<string> {
  const session = await fetch(`${platform.webUrl}/jmap/session`, {
    headers: { authorization: AUTHORIZATION },
  });
  const { uploadUrl, downloadUrl, primaryAccounts } = (await session.json()) as {
    uploadUrl: string;
    downloadUrl: string;
    primaryAccounts: Record<string, string>;
  };
  const accountId = primaryAccounts['urn:ietf:params:jmap:mail'] ?? '';
  const response = await fetch(new URL(uploadUrl.replace('{accountId}', accountId), platform.webUrl), {
    method: 'POST',
    headers: { authorization: AUTHORIZATION, 'content-type': 'application/octet-stream' },
    body: randomBytes(UPLOAD_BYTES),
  });
  assert.equal(response.status, 201);
  const { blobId } = (await response.json()) as { blobId: string };
  return new URL(
    downloadUrl
      .replace('{accountId}', accountId)
      .replace('{blobId}', blobId)
      .replace('{name}', 'x')
      .replace('{type}', 'application/octet-stream'),
    platform.webUrl,
  ).href;
}

const status = async (url: string): Promise<number> => {
  const response = await fetch(url, { headers: { authorization: AUTHORIZATION } });
  await response.arrayBuffer();
  return response.status;
};

test('a sweep leaves what mail refers to, also mail that was destroyed, and deletes unused uploads by and by', async () => {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, secure: false });
  for (const subject of ['kept', 'destroyed'])
    await transport.sendMail({
      from: 'you@example.org',
      to: 'alice@cellpost.test',
      subject,
      text: 'See attachment.',
      attachments: [{ filename: 'a.bin', content: randomBytes(ATTACHMENT_BYTES) }],
    });
  transport.close();
  const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
  const { accountId } = alice;
  const [query] = await alice.call(['Email/query', { accountId, filter: { subject: 'destroyed' } }, '0']);
  await alice.call(['Email/set', { accountId, destroy: query?.[1].ids }, '0']);
  const unused = await upload();
  assert.equal(await status(unused), 200);

  const young = await platform.cellctl<Swept>('blobs', 'sweep');
  assert.equal(young.found.blobs, 3);
  assert.equal(young.setAside.blobs, 0, 'nothing is a day old');
  const dry = await platform.cellctl<Swept>('blobs', 'sweep', '--grace', '0', '--dry-run');
  assert.deepEqual(dry.setAside, { blobs: 1, bytes: UPLOAD_BYTES });
  const first = await platform.cellctl<Swept>('blobs', 'sweep', '--grace', '0');
  assert.deepEqual(first.setAside, { blobs: 1, bytes: UPLOAD_BYTES });
  assert.equal(await status(unused), 200, 'what is set aside can still be read');
  const second = await platform.cellctl<Swept>('blobs', 'sweep', '--grace', '0');
  assert.deepEqual(second.deleted, { blobs: 1, bytes: UPLOAD_BYTES });
  assert.equal(await status(unused), 404);

  const [found] = await alice.call(['Email/query', { accountId, filter: { subject: 'kept' } }, '0']);
  const [message] = await alice.call([
    'Email/get',
    { accountId, ids: found?.[1].ids, properties: ['blobId', 'attachments'] },
    '0',
  ]);
  const [email] = (message?.[1].list ?? []) as { attachments: { size: number }[] }[];
  assert.equal(email?.attachments[0]?.size, ATTACHMENT_BYTES);
  const text = await cellctlOutput(['blobs', 'sweep'], { CELLPOST_HOME: platform.home });
  assert.match(text, /^found +2 blobs/m);
});

test('a sweep refuses what it does not understand, and a platform whose blobs it does not know', async () => {
  await assert.rejects(
    cellctlOutput(['blobs', 'sweep', '--grace', 'soon'], { CELLPOST_HOME: platform.home }),
    /A duration is a number/,
  );
  await assert.rejects(
    cellctlOutput(['blobs', 'sweep'], {
      CELLPOST_HOME: platform.home,
      CELLPOST_DISCOVERY_URL: 'http://127.0.0.1:1',
      CELLPOST_PLATFORM_TOKEN: 'a token of nobody here',
    }),
    /set CELLPOST_BLOB_STORE/,
  );
});
