// The cells' client: requests find their app server through leaves, crashes, redirects and lost discoveries.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { AddressTaken, OutcomeUnknown, Unavailable } from '../../workloads/common/cell-client/errors.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';
import {
  assign,
  cells,
  closers,
  coordinator,
  discovery,
  nodeOf,
  openClient,
  post,
  putCell,
  replaceDiscovery,
  served,
  startDiscovery,
  startStub,
  startStubProcess,
  WAIT,
} from './discovery-harness.ts';
import { StubServer } from './discovery-stub.ts';

const nodesOf = async (keys: string[]): Promise<(string | undefined)[]> =>
  (await Promise.all(keys.map((key) => cells.where(key)))).map(({ node }) => node);

/** As an app server does that knows of a ring newer than any other's. */
function misdirect(response: ServerResponse, owner: StubServer): void {
  response.writeHead(421).end(
    JSON.stringify({
      type: 'urn:cellpost:error:misdirected',
      owner: { name: owner.name, url: owner.url },
      ringVersion: Number.MAX_SAFE_INTEGER,
    }),
  );
}

test('a join, a leave and a crash change where everybody looks, at once', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  const keys = Array.from({ length: 50 }, (_, i) => `user:u${i}`);
  for (const key of keys) await assign(key);
  await served('user:u49');
  const second = await startStub('a', 'a-1');
  await until(async () => (await nodesOf(keys)).some((node) => node === 'a-1'), WAIT);
  await second.leave();
  await until(async () => (await nodesOf(keys)).every((node) => node === 'a-0'), WAIT);
  const child = await startStubProcess('a', 'a-2');
  await until(async () => (await nodesOf(keys)).some((node) => node === 'a-2'), WAIT);
  const start = performance.now();
  child.kill('SIGKILL');
  await until(async () => (await nodesOf(keys)).every((node) => node === 'a-0'), WAIT);
  assert.ok(performance.now() - start < 10_000);
});

test('requests go through a planned leave and a join without an error, each carried out once', async () => {
  await putCell('a');
  const stubs = [await startStub('a', 'a-0'), await startStub('a', 'a-1'), await startStub('a', 'a-2')];
  const users = Array.from({ length: 30 }, (_, i) => `u${i}`);
  for (const user of users) await assign(`user:${user}`);
  await served('user:u0');
  const load = { running: true };
  let sent = 0;
  const senders = users.map(async (user) => {
    while (load.running) {
      const response = await post(user);
      assert.equal(response.status, 200);
      await response.body.dump();
      sent++;
    }
  });
  const leaving = stubs[1];
  const soFar = (): number => stubs.reduce((sum, stub) => sum + stub.done.length, 0);
  await until(() => soFar() > 200, WAIT);
  // As an app server does: stop taking, then tell. Meanwhile it answers 421.
  await leaving?.become('draining');
  await until(
    () =>
      cells.where('user:u0').then(
        () => true,
        () => false,
      ),
    WAIT,
  );
  const after = soFar();
  await until(() => soFar() > after + 200, WAIT);
  stubs.push(await startStub('a', 'a-3'));
  await until(() => (stubs[3]?.done.length ?? 0) > 50, WAIT);
  load.running = false;
  await Promise.all(senders);
  assert.equal(soFar(), sent);
});

test('a crash costs waiting, not errors, for what may be repeated', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  const child = await startStubProcess('a', 'a-1');
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  for (const user of users) await assign(`user:${user}`);
  await until(
    async () => (await nodesOf(users.map((user) => `user:${user}`))).some((node) => node === 'a-1'),
    WAIT,
  );
  child.kill('SIGKILL');
  const nodes = await Promise.all(users.map(async (user) => nodeOf(await post(user, true))));
  assert.ok(nodes.every((node) => node === 'a-0'));
});

test('a redirect is followed before the ring is heard of, and two that disagree are not asked for ever', async () => {
  await putCell('a');
  const first = await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  // Not registered: only the redirect knows of it.
  const hidden = new StubServer('a-9');
  closers.push(() => hidden.close());
  await hidden.start(coordinator.url('/elsewhere'));
  let redirects = 0;
  first.intercept = (_request, response) => {
    redirects++;
    misdirect(response, hidden);
    return true;
  };
  assert.equal(await nodeOf(await post('u1')), 'a-9');
  assert.equal(redirects, 1);
  hidden.intercept = (_request, response) => {
    misdirect(response, first);
    return true;
  };
  await assert.rejects(
    cells.request('user:u1', { method: 'GET', path: '/users/u1/x', idempotent: true, deadlineMs: 1_000 }),
    Unavailable,
  );
  assert.ok(redirects < 60, `${redirects} redirects`);
});

test('what may have reached its server is not repeated, unless it may be', async () => {
  await putCell('a');
  const stub = await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  let reached = 0;
  stub.intercept = (request) => {
    if (++reached % 2 === 0) return false;
    request.socket.destroy();
    return true;
  };
  await assert.rejects(post('u1'), OutcomeUnknown);
  assert.equal(reached, 1);
  reached = 0;
  assert.equal((await post('u1', true)).status, 200);
  assert.equal(reached, 2);
  stub.intercept = (_request, response) => {
    reached++;
    response.writeHead(503).end(JSON.stringify({ type: 'urn:cellpost:error:outcome-unknown' }));
    return true;
  };
  reached = 0;
  await assert.rejects(post('u1'), OutcomeUnknown);
  assert.equal(reached, 1);
});

test('a server that can not serve is waited for, and other answers are handed over as they are', async () => {
  await putCell('a');
  const stub = await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  let refusals = 3;
  stub.intercept = (_request, response) => {
    if (refusals-- <= 0) return false;
    response
      .writeHead(503, { 'retry-after': '0' })
      .end(JSON.stringify({ type: 'urn:cellpost:error:unavailable' }));
    return true;
  };
  assert.equal((await post('u1')).status, 200);
  stub.intercept = (_request, response) => {
    response.writeHead(507, { 'x-why': 'full' }).end('no room');
    return true;
  };
  const response = await post('u1');
  assert.equal(response.status, 507);
  assert.equal(response.headers['x-why'], 'full');
  assert.equal(await text(response.body), 'no room');
  stub.intercept = () => true;
  const start = performance.now();
  await assert.rejects(post('u1', false, 300), OutcomeUnknown);
  await assert.rejects(
    cells.request('user:u1', { method: 'GET', path: '/users/u1/x', idempotent: true, deadlineMs: 300 }),
    Unavailable,
  );
  assert.ok(performance.now() - start < 10_000);
});

test('bodies stream both ways, and a signal ends them', async () => {
  await putCell('a');
  const stub = await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  const upload = await cells.request('user:u1', {
    method: 'POST',
    path: '/users/u1/upload',
    body: () => Readable.from(Array.from({ length: 20 }, () => megabyte)),
    idempotent: true,
  });
  assert.deepEqual(await upload.json(), { node: 'a-0', bytes: 20 * megabyte.length });
  stub.intercept = (_request, response) => {
    Readable.from(Array.from({ length: 20 }, () => megabyte)).pipe(response);
    return true;
  };
  const download = await cells.request('user:u1', {
    method: 'GET',
    path: '/users/u1/download',
    idempotent: true,
  });
  assert.equal((await buffer(download.body)).length, 20 * megabyte.length);
  const { promise: ended, resolve: onEnded } = Promise.withResolvers<void>();
  stub.intercept = (_request, response) => {
    response.write('event: state\n\n');
    response.on('close', onEnded);
    return true;
  };
  const leaving = new AbortController();
  const events = await cells.request('user:u1', {
    method: 'GET',
    path: '/users/u1/eventsource',
    idempotent: true,
    bodyTimeoutMs: 0,
    signal: leaving.signal,
  });
  events.body.on('error', () => undefined);
  await once(events.body, 'data');
  leaving.abort();
  await ended;
});

test('users are made, found by their addresses, and an interrupted creation is taken up', async () => {
  await putCell('a');
  await putCell('b');
  const stores = {
    a: { addresses: new Map(), users: new Map() },
    b: { addresses: new Map(), users: new Map() },
  };
  await startStub('a', 'a-0', stores.a);
  await startStub('b', 'b-0', stores.b);
  const user = { addresses: ['Alice@cellpost.test'], displayName: 'Alice', password: 'secret' };
  assert.equal(await cells.resolveAddress('alice@cellpost.test'), undefined);
  const userId = await cells.createUser(user);
  assert.match(userId, /^u[a-z2-7]{15}$/);
  assert.equal(await cells.resolveAddress('alice@cellpost.test'), userId);
  const other = await openClient();
  closers.push(() => other.close());
  assert.equal(await other.resolveAddress('alice@cellpost.test'), userId);
  await assert.rejects(cells.createUser(user), AddressTaken);
  // The address was claimed, and then its maker died.
  for (const store of Object.values(stores)) store.users.delete(userId);
  assert.equal(await cells.createUser(user), userId);
  assert.deepEqual(
    (await cells.nodes()).map(({ cell, node, state, users }) => `${cell} ${node} ${state} ${users}`),
    ['a a-0 serving 7', 'b b-0 serving 7'],
  );
});

test('clients get over a restart of discovery, and over one that hangs', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  const { port } = new URL(discovery.url);
  await discovery.close();
  assert.equal(await nodeOf(await post('u1')), 'a-0');
  await replaceDiscovery({ CELLPOST_HTTP_PORT: port });
  await startStub('a', 'a-1');
  await until(async () => (await cells.nodes()).length === 2, WAIT);
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  closers.push(async () => {
    silent.closeAllConnections();
    silent.close();
  });
  const address = silent.address();
  const lost = await openClient(
    `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
  );
  closers.push(() => lost.close());
  assert.equal(lost.isReady(), false);
  await assert.rejects(
    lost.request('user:u1', { method: 'GET', path: '/users/u1/x', idempotent: true, deadlineMs: 200 }),
    Unavailable,
  );
});

test('look-ups are answered while one of two replicas hangs, and a client that comes finds the map', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  const second = await startDiscovery();
  const portOf = (url: string): number => Number(new URL(url).port);
  const hanging = await startTcpProxy(portOf(second.url));
  const service = await startTcpProxy(portOf(discovery.url), hanging.port);
  closers.push(
    () => service.close(),
    () => hanging.close(),
  );
  const client = await openClient(`http://127.0.0.1:${service.port}`);
  closers.push(() => client.close());
  const key = 'user:u1';
  await client.assign(key);
  hanging.become('silent');
  // Each would wait for its deadline, and fail, if it were asked once.
  for (let round = 0; round < 10; round++) {
    assert.equal(await client.discovery.cellOf(key), 'a');
    assert.equal(await client.discovery.isUnassigned(key), false);
    assert.equal((await client.discovery.map()).counts().get('a'), 1);
  }
  for (let round = 0; round < 2; round++) {
    const late = await openClient(`http://127.0.0.1:${service.port}`);
    closers.push(() => late.close());
    assert.deepEqual(await late.cellNames(), ['a']);
  }
});

test('what any server of a cell can tell is asked from another one when the first hangs', async () => {
  await putCell('a');
  const stubs = [await startStub('a', 'a-0'), await startStub('a', 'a-1')];
  await until(async () => (await cells.nodes()).length === 2, WAIT);
  const [hanging] = stubs;
  let asked = 0;
  if (hanging) hanging.intercept = () => (asked++, true);
  for (let round = 0; round < 2; round++) {
    const answer = await cells.requestCell('a', {
      method: 'GET',
      path: '/node',
      idempotent: true,
      deadlineMs: 15_000,
    });
    assert.deepEqual(await answer.json(), { users: 7 });
  }
  assert.ok(asked >= 1);
});
