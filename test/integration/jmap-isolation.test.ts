// Nobody reads what isn't theirs: bob, a service with the wrong account, and somebody without any credentials, on every route.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { basic, Harness, mail, TOKEN, type Invocation } from './jmap-harness.ts';

const SECRET = 'the secret of alice';

suite('isolation', () => {
  let server: Harness;
  let emailId: string;
  let uploadId: string;

  before(async () => {
    server = await Harness.start();
    await server.createUser('alice', 'alice@cellpost.test');
    await server.createUser('bob', 'bob@cellpost.test');
    emailId = (await server.deliver('alice', mail('Secret', SECRET))).emailId;
    const upload = await server.fetch('/users/alice/jmap/upload/alice', basic('alice@cellpost.test'), {
      method: 'POST',
      body: SECRET,
    });
    uploadId = ((await upload.json()) as { blobId: string }).blobId;
  });
  after(() => server[Symbol.asyncDispose]());

  /** Every route that names a user; those with an account have alice's. */
  const routes = (userId: string): [method: string, path: string][] => [
    ['POST', `/users/${userId}/jmap/api`],
    ['GET', `/users/${userId}/jmap/session`],
    ['POST', `/users/${userId}/jmap/upload/alice`],
    ['GET', `/users/${userId}/jmap/download/alice/b_${emailId}/x`],
    ['GET', `/users/${userId}/jmap/download/alice/p_${emailId}_1/x`],
    ['GET', `/users/${userId}/jmap/download/alice/${uploadId}/x`],
    ['GET', `/users/${userId}/jmap/eventsource`],
  ];

  test('alice’s routes answer bob and strangers with 401, and tell nothing', async () => {
    for (const [method, path] of routes('alice'))
      for (const authorization of [
        basic('bob@cellpost.test'),
        basic('nobody@cellpost.test'),
        bearer('wrong'),
        '',
      ]) {
        const response = await server.fetch(
          path,
          authorization,
          method === 'POST' ? { method, body: '{}' } : {},
        );
        const text = await response.text();
        assert.ok([401, 429].includes(response.status), `${method} ${path}: ${response.status}`);
        assert.ok(!text.includes(SECRET));
      }
  });

  test('services’ routes refuse users', async () => {
    for (const [method, path] of [
      ['PUT', '/users/carol'],
      ['GET', '/addresses/alice@cellpost.test'],
      ['PUT', '/addresses/alice@cellpost.test'],
      ['GET', '/node'],
    ] as const)
      for (const authorization of [basic('alice@cellpost.test'), '', bearer('wrong')]) {
        const response = await server.fetch(path, authorization, {
          method,
          ...(method === 'PUT' ? { body: '{}' } : {}),
        });
        assert.equal(response.status, 401, `${method} ${path}`);
        await response.text();
      }
  });

  test('bob’s own routes know no account of alice’s, nor does a service’s', async () => {
    for (const authorization of [basic('bob@cellpost.test'), bearer(TOKEN)]) {
      for (const [method, path] of routes('bob')) {
        if (!path.includes('/alice')) continue;
        const response = await server.fetch(
          path,
          authorization,
          method === 'POST' ? { method, body: 'x' } : {},
        );
        assert.equal(response.status, 404, `${method} ${path}`);
        await response.text();
      }
    }
  });

  test('bob’s account knows no blob of alice’s, whatever he calls it', async () => {
    for (const blobId of [`b_${emailId}`, `p_${emailId}_1`, uploadId]) {
      const response = await server.fetch(
        `/users/bob/jmap/download/bob/${blobId}/x`,
        basic('bob@cellpost.test'),
      );
      assert.equal(response.status, 404, blobId);
      assert.ok(!(await response.text()).includes(SECRET));
    }
    const alices = await server.fetch(
      `/users/alice/jmap/download/alice/${uploadId}/x`,
      basic('alice@cellpost.test'),
    );
    assert.equal(await alices.text(), SECRET);
  });

  test('every method that takes an account answers accountNotFound for alice’s in bob’s session', async () => {
    const accountId = 'alice';
    const calls: Invocation[] = [
      ['Mailbox/get', { accountId }, ''],
      ['Mailbox/query', { accountId }, ''],
      ['Mailbox/queryChanges', { accountId, sinceQueryState: 's1-0' }, ''],
      ['Mailbox/changes', { accountId, sinceState: 's1-0' }, ''],
      ['Mailbox/set', { accountId, create: { a: { name: 'x' } } }, ''],
      ['Thread/get', { accountId, ids: [] }, ''],
      ['Thread/changes', { accountId, sinceState: 's1-0' }, ''],
      ['Email/get', { accountId, ids: [emailId] }, ''],
      ['Email/query', { accountId }, ''],
      ['Email/queryChanges', { accountId, sinceQueryState: 's1-0' }, ''],
      ['Email/changes', { accountId, sinceState: 's1-0' }, ''],
      ['Email/set', { accountId, destroy: [emailId] }, ''],
    ];
    for (const address of ['bob@cellpost.test', undefined])
      for (const [name, args, id] of await server.call('bob', calls, address)) {
        assert.deepEqual([name, args.type, id], ['error', 'accountNotFound', '']);
      }
    assert.equal((await server.one('alice', 'Email/get', { ids: [emailId], properties: [] })).list.length, 1);
  });

  test('an account that does not exist is accountNotFound for a service', async () => {
    const { type } = await server.one('nobody', 'Mailbox/get', {});
    assert.equal(type, 'accountNotFound');
    const session = await server.fetch('/users/nobody/jmap/session', bearer(TOKEN));
    assert.equal(session.status, 404);
  });

  test('users can’t deliver', async () => {
    const using = ['urn:ietf:params:jmap:core', 'urn:cellpost:delivery'];
    const [response] = await server.call(
      'alice',
      [['Delivery/deliver', {}, 'd']],
      'alice@cellpost.test',
      using,
    );
    assert.equal(response?.[1].type, 'forbidden');
  });

  test('after many wrong passwords a user has to wait, but who is signed in goes on', async () => {
    await server.createUser('dave', 'dave@cellpost.test');
    const attempt = async (password: string): Promise<Response> =>
      server.fetch('/users/dave/jmap/session', basic('dave@cellpost.test', password));
    assert.equal((await attempt('open sesame')).status, 200);
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push((await attempt(`wrong ${n}`)).status);
    assert.deepEqual(
      statuses.slice(0, 10),
      Array.from({ length: 10 }, () => 401),
    );
    assert.equal(statuses.at(-1), 429);
    assert.equal((await attempt('open sesame')).status, 200);
  });
});
