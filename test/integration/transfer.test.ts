// Whole logs over HTTP: what services read of one app server and write to another is the same user there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { encodeRow, readRows, type TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { basic, Harness, mail, TOKEN } from './jmap-harness.ts';

const KEY = encodeURIComponent('user:u1');

let from: Harness;
let to: Harness;

before(async () => {
  [from, to] = await Promise.all([Harness.start('sqlite'), Harness.start('sqlite')]);
  await from.createUser('u1', 'alice@cellpost.test');
  for (const subject of ['one', 'two', 'three'])
    await from.deliver('u1', mail(subject, `Text of ${subject}`));
});

after(async () => {
  await from?.[Symbol.asyncDispose]();
  await to?.[Symbol.asyncDispose]();
});

const get = async (harness: Harness, path: string): Promise<Response> =>
  await harness.fetch(path, bearer(TOKEN));

async function rowsOf(harness: Harness, query = ''): Promise<TransferRow[]> {
  const response = await get(harness, `/logs/${KEY}/entries?${query}`);
  assert.equal(response.status, 200);
  const found: TransferRow[] = [];
  for await (const row of readRows([new Uint8Array(await response.arrayBuffer())])) found.push(row);
  return found;
}

const post = async (harness: Harness, rows: TransferRow[]): Promise<Response> =>
  await harness.fetch(`/logs/${KEY}/entries`, bearer(TOKEN), {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.concat(rows.map(encodeRow)),
  });

test('keys, heads and entries can be read, in parts and without bodies', async () => {
  const keys = (await (await get(from, '/keys')).json()) as { keys: string[] };
  assert.deepEqual(keys, { keys: ['user:u1'] });
  assert.deepEqual(await (await get(from, '/keys?after=user%3Au1')).json(), { keys: [] });
  const head = (await (await get(from, `/logs/${KEY}/head`)).json()) as Record<string, unknown>;
  assert.equal(head.seq, 4);
  const heads = await from.fetch('/logs/heads', bearer(TOKEN), {
    method: 'POST',
    body: JSON.stringify({ keys: ['user:u1', 'user:nobody'] }),
  });
  assert.deepEqual(await heads.json(), { heads: { 'user:u1': head } });
  assert.equal((await get(from, '/logs/user%3Anobody/head')).status, 404);

  const rows = await rowsOf(from);
  assert.deepEqual(
    rows.map(({ seq, bodies }) => [seq, bodies.length]),
    [
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 1],
    ],
  );
  assert.match(Buffer.from(rows[2]?.bodies[0]?.bytes ?? []).toString(), /Text of two/);
  assert.deepEqual(
    (await rowsOf(from, 'from=2&to=3')).map(({ seq }) => seq),
    [2, 3],
  );
  assert.equal((await rowsOf(from, 'maxBytes=1')).length, 1, 'an answer is bounded');
  assert.ok((await rowsOf(from, 'bodies=false')).every(({ bodies }) => bodies.length === 0));
  assert.deepEqual(await rowsOf(from, 'from=5'), []);
  assert.equal((await get(from, `/logs/${KEY}/entries?from=0`)).status, 400);
});

test('a log that was written to another server is the same user there, also for who asked before', async () => {
  assert.equal((await to.fetch('/users/u1/jmap/session', basic('alice@cellpost.test'))).status, 401);
  const rows = await rowsOf(from);
  const half = await post(to, rows.slice(0, 2));
  assert.deepEqual([half.status, await half.json()], [200, { seq: 2 }]);
  const again = await post(to, rows);
  assert.deepEqual(
    [again.status, await again.json()],
    [200, { seq: 4 }],
    'what is there already is passed over',
  );
  const emails = { ids: null, properties: ['id', 'threadId', 'subject', 'receivedAt', 'preview'] };
  assert.deepEqual(await to.one('u1', 'Email/get', emails), await from.one('u1', 'Email/get', emails));
  assert.deepEqual(await to.one('u1', 'Mailbox/get', {}), await from.one('u1', 'Mailbox/get', {}));
  assert.equal((await to.fetch('/users/u1/jmap/session', basic('alice@cellpost.test'))).status, 200);
});

test('an entry is never replaced, gaps and what is no row are refused, and so is who is no service', async () => {
  const rows = await rowsOf(from);
  await to.deliver('u1', mail('only there'), { deliveryKey: 'there' });
  await from.deliver('u1', mail('only here'));
  const other = (await rowsOf(from)).at(-1);
  assert.ok(other);
  const refused = await post(to, [other]);
  assert.equal(refused.status, 409);
  const [first] = rows;
  assert.ok(first);
  assert.equal((await post(to, [{ ...first, seq: 50 }])).status, 400);
  assert.equal((await post(to, [{ ...first, entry: Buffer.from('nonsense') }])).status, 400);
  const subjects = await to.one('u1', 'Email/get', { ids: null, properties: ['subject'] });
  assert.equal(subjects.list.length, 4);
  for (const path of ['/keys', `/logs/${KEY}/head`, `/logs/${KEY}/entries`]) {
    assert.equal((await from.fetch(path, basic('alice@cellpost.test'))).status, 401);
  }
});
