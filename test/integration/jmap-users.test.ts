// Users, addresses, the session object, uploads: what surrounds JMAP's methods.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { basic, Harness, mail, TOKEN, type Json } from './jmap-harness.ts';

const CORE = 'urn:ietf:params:jmap:core';
const MAIL = 'urn:ietf:params:jmap:mail';

suite('users and sessions', () => {
  let server: Harness;

  before(async () => {
    server = await Harness.start('sqlite');
    await server.createUser('alice', 'Alice@Cellpost.test');
  });
  after(() => server[Symbol.asyncDispose]());

  async function send(method: string, path: string, body?: Json): Promise<[status: number, answer: Json]> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await server.fetch(path, bearer(TOKEN), init);
    return [response.status, await response.json()];
  }

  test('a user is made once; the same again changes nothing, other addresses are a conflict', async () => {
    const user = { addresses: ['dora@cellpost.test'], displayName: 'Dora', password: 'a' };
    assert.equal((await send('PUT', '/users/dora', user))[0], 201);
    assert.equal((await send('PUT', '/users/dora', { ...user, password: 'b' }))[0], 200);
    assert.equal((await send('PUT', '/users/dora', { ...user, addresses: ['x@cellpost.test'] }))[0], 409);
    const signIn = (password: string): Promise<Response> =>
      server.fetch('/users/dora/jmap/session', basic('dora@cellpost.test', password));
    assert.deepEqual([(await signIn('a')).status, (await signIn('b')).status], [200, 401]);
    const { list } = await server.one('dora', 'Mailbox/get', {});
    assert.deepEqual(
      list.map(({ name, role }: Json) => [name, role]),
      [
        ['Inbox', 'inbox'],
        ['Archive', 'archive'],
        ['Drafts', 'drafts'],
        ['Sent', 'sent'],
        ['Junk', 'junk'],
        ['Trash', 'trash'],
        ['Other', null],
      ],
    );
  });

  test('two at once make one user', async () => {
    const user = { addresses: ['erin@cellpost.test'], displayName: 'Erin', password: 'a' };
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await send('PUT', '/users/erin', user))[0]),
    );
    assert.deepEqual(statuses.toSorted(), [200, 200, 201]);
    assert.equal((await server.one('erin', 'Mailbox/get', {})).list.length, 7);
  });

  test('users that make no sense are refused', async () => {
    for (const body of [
      {},
      { addresses: [], displayName: 'x', password: 'x' },
      { addresses: ['nobody'], displayName: 'x', password: 'x' },
      { addresses: ['a@b'], displayName: 'x', password: '' },
      { addresses: ['a@b'], displayName: 'x', password: 'x', admin: true },
    ])
      assert.equal((await send('PUT', '/users/frank', body))[0], 400, JSON.stringify(body));
    assert.equal((await send('GET', '/users/frank/jmap/session'))[0], 404);
  });

  test('an address belongs to whom it was given first, in any case of letters', async () => {
    assert.equal((await send('GET', '/addresses/dora@cellpost.test'))[0], 404);
    assert.equal((await send('PUT', '/addresses/Dora@cellpost.test', { userId: 'dora' }))[0], 201);
    assert.equal((await send('PUT', '/addresses/dora@cellpost.test', { userId: 'dora' }))[0], 200);
    const [status, answer] = await send('PUT', '/addresses/dora@CELLPOST.test', { userId: 'erin' });
    assert.equal(status, 409);
    assert.ok(!JSON.stringify(answer).includes('"dora"'));
    assert.deepEqual(await send('GET', '/addresses/DORA@cellpost.test'), [200, { userId: 'dora' }]);
    assert.equal((await send('PUT', '/addresses/dora', { userId: 'dora' }))[0], 400);
    assert.equal((await send('PUT', '/addresses/d@x.test', { userId: '../x' }))[0], 400);
  });

  test('what is asked in a way that is not understood is answered in one way, with the part and the reason', async () => {
    const cases: [method: string, path: string, body: Json, why: RegExp][] = [
      ['PUT', '/users/frank', { addresses: ['f@x.test'], displayName: '' }, /^password: /],
      ['PUT', '/addresses/d@x.test', { userId: '../x' }, /^userId: is no user id$/],
      ['PUT', '/addresses/dora', { userId: 'dora' }, /^the path has no address$/],
      ['POST', '/users/dora/restore', {}, /^give one of toSeq and toTimeMs$/],
      ['POST', '/logs/user:dora/move', { toCell: '/' }, /^toCell: is no name of a cell$/],
      ['POST', '/logs/heads', { keys: [''] }, /^keys\/0: /],
      ['GET', '/keys?limit=none', undefined, /^limit: /],
      ['GET', '/changes?kinds=none', undefined, /^kinds/],
      ['GET', '/changes/keys?since=never', undefined, /^since: /],
    ];
    for (const [method, path, body, why] of cases) {
      const [status, answer] = await send(method, path, body);
      assert.equal(status, 400, path);
      const [, said = ''] = /^Not understood: (.*)\.$/.exec(answer.detail ?? answer.title) ?? [];
      assert.match(said, why, `${path}: ${JSON.stringify(answer)}`);
    }
  });

  test('the session object has what RFC 8620 section 2 wants', async () => {
    const response = await server.fetch('/users/alice/jmap/session', basic('ALICE@cellpost.test'), {
      headers: { 'x-forwarded-prefix-url': 'https://mail.example.org/', 'x-request-id': 'request-1' },
    });
    assert.match(response.headers.get('cache-control') ?? '', /no-store/);
    assert.equal(response.headers.get('x-request-id'), 'request-1');
    const session = (await response.json()) as Json;
    assert.deepEqual(Object.keys(session.capabilities), [
      CORE,
      MAIL,
      'urn:cellpost:friends',
      'urn:cellpost:privacy',
      'urn:cellpost:filing',
      'urn:cellpost:counts',
    ]);
    assert.deepEqual(Object.keys(session.capabilities[CORE]).sort(), [
      'collationAlgorithms',
      'maxCallsInRequest',
      'maxConcurrentRequests',
      'maxConcurrentUpload',
      'maxObjectsInGet',
      'maxObjectsInSet',
      'maxSizeRequest',
      'maxSizeUpload',
    ]);
    assert.deepEqual(session.primaryAccounts, {
      [CORE]: 'alice',
      [MAIL]: 'alice',
      'urn:cellpost:friends': 'alice',
      'urn:cellpost:privacy': 'alice',
      'urn:cellpost:filing': 'alice',
      'urn:cellpost:counts': 'alice',
    });
    const account = session.accounts.alice;
    assert.deepEqual(
      [account.name, account.isPersonal, account.isReadOnly],
      ['alice@cellpost.test', true, false],
    );
    assert.ok(account.accountCapabilities[MAIL].emailQuerySortOptions.includes('receivedAt'));
    assert.equal(session.username, 'alice@cellpost.test');
    assert.equal(session.apiUrl, 'https://mail.example.org/jmap/api');
    for (const [url, names] of [
      [session.downloadUrl, ['accountId', 'blobId', 'name', 'type']],
      [session.uploadUrl, ['accountId']],
      [session.eventSourceUrl, ['types', 'closeafter', 'ping']],
    ] as const)
      for (const name of names) assert.ok(url.includes(`{${name}}`), url);
    const body = JSON.stringify({
      using: [CORE],
      methodCalls: [['Core/echo', {}, '']],
      createdIds: { a: 'e1-0' },
    });
    const api = await server.fetch('/users/alice/jmap/api', basic('alice@cellpost.test'), {
      method: 'POST',
      body,
    });
    assert.deepEqual(await api.json(), {
      methodResponses: [['Core/echo', {}, '']],
      createdIds: { a: 'e1-0' },
      sessionState: session.state,
    });
  });

  test('without a door in front, the URLs are the app server’s own and work', async () => {
    const [, session] = await send('GET', '/users/alice/jmap/session');
    assert.equal(session.apiUrl, `${server.url}/users/alice/jmap/api`);
    assert.ok('urn:cellpost:delivery' in session.capabilities);
    const upload = await fetch(session.uploadUrl.replace('{accountId}', 'alice'), {
      method: 'POST',
      headers: { authorization: bearer(TOKEN), 'content-type': 'Image/PNG; x=y' },
      body: 'not a picture',
    });
    const blob = (await upload.json()) as Json;
    assert.deepEqual([upload.status, blob.accountId, blob.type, blob.size], [201, 'alice', 'image/png', 13]);
    const url = session.downloadUrl
      .replace('{accountId}', 'alice')
      .replace('{blobId}', blob.blobId)
      .replace('{name}', encodeURIComponent('a "b"\r\nc/ü.png'))
      .replace('{type}', encodeURIComponent('text/html\r\nX: y'));
    const download = await fetch(url, { headers: { authorization: bearer(TOKEN) } });
    assert.equal(await download.text(), 'not a picture');
    assert.equal(download.headers.get('content-type'), 'application/octet-stream');
    assert.equal(
      download.headers.get('content-disposition'),
      "attachment; filename*=UTF-8''a%20%22b%22%0D%0Ac%2F%C3%BC.png",
    );
    assert.match(download.headers.get('content-security-policy') ?? '', /sandbox/);
  });

  test('an upload over the limit is refused before it is read', async () => {
    const response = await server.fetch('/users/alice/jmap/upload/alice', basic('alice@cellpost.test'), {
      method: 'POST',
      body: Buffer.alloc(50_000_001),
    });
    const problem = (await response.json()) as Json;
    assert.deepEqual([problem.type, problem.limit], ['urn:ietf:params:jmap:error:limit', 'maxSizeUpload']);
  });

  test('too many requests of one user at once break a limit', async () => {
    const { emailId } = await server.deliver('alice', mail('Slow'));
    const body = JSON.stringify({
      using: [CORE, MAIL],
      methodCalls: [['Email/get', { accountId: 'alice', ids: [emailId] }, '']],
    });
    const one = async (): Promise<Json> =>
      (
        await server.fetch('/users/alice/jmap/api', basic('alice@cellpost.test'), { method: 'POST', body })
      ).json();
    const answers = await Promise.all(Array.from({ length: 200 }, one));
    for (const answer of answers)
      assert.ok(answer.methodResponses || answer.limit === 'maxConcurrentRequests', JSON.stringify(answer));
    assert.ok((await one()).methodResponses);
  });

  test('GET /node and /metrics tell what goes on', async () => {
    const [status, node] = await send('GET', '/node');
    assert.equal(status, 200);
    assert.ok(node.users >= 1);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(
      metrics,
      /cellpost_app_server_jmap_method_duration_seconds_count\{method="Core\/echo",result="ok"\} \d/,
    );
    assert.match(metrics, /cellpost_app_server_http_requests_total\{route="session",status="200"\} \d/);
    assert.match(metrics, /cellpost_app_server_users_open \d/);
    assert.ok(!metrics.includes('alice'));
  });
});
