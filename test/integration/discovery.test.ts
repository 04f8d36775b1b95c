// Discovery and the cells' client over the embedded coordinator, with stubs for app servers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startCoordinator, type Coordinator } from '../../embedded/coordinator.ts';
import { type Cells, openCells } from '../../workloads/common/cell-client/cells.ts';
import {
  AddressTaken,
  CellDisabled,
  OutcomeUnknown,
  Unassigned,
  Unavailable,
} from '../../workloads/common/cell-client/errors.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { start } from '../../workloads/discovery/main.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';
import { StubServer, type StubStore } from './discovery-stub.ts';

const TOKEN = 'a token for nothing but tests';
const STUB = fileURLToPath(new URL('discovery-stub.ts', import.meta.url));
const logger = createLogger('test', 'silent');
const WAIT = { timeoutMs: 20_000, intervalMs: 10 };

type Discovery = Awaited<ReturnType<typeof start>>;
let folder: string;
let coordinator: Coordinator;
let discovery: Discovery;
let cells: Cells;
let closers: (() => Promise<unknown>)[];

const startCoordination = (): Promise<Coordinator> =>
  startCoordinator({ socketPath: join(folder, 'c.sock'), dataFile: join(folder, 'c.db') });

async function startDiscovery(more: Record<string, string> = {}): Promise<Discovery> {
  const started = await start({
    CELLPOST_COORDINATION: `local:${join(folder, 'c.sock')}?chroot=/discovery`,
    CELLPOST_SESSION_TIMEOUT_MS: '1000',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_LOG_LEVEL: 'silent',
    CELLPOST_HTTP_PORT: '0',
    ...more,
  });
  closers.push(() => started.close());
  return started;
}

async function startStub(cell: string, name: string, store?: StubStore): Promise<StubServer> {
  const stub = new StubServer(name, store);
  await stub.start(coordinator.url(`/cells/${cell}`));
  closers.push(() => stub.close());
  return stub;
}

async function putCell(name: string, state: 'Enabled' | 'Draining' | 'Disabled' = 'Enabled'): Promise<void> {
  await cells.putCell(name, { state, dataCenter: 'here', coordination: coordinator.url(`/cells/${name}`) });
}

function openClient(): Promise<Cells> {
  return openCells({ discoveryUrl: discovery.url, token: TOKEN, logger });
}

type Answer = { status: number; body: Record<string, unknown>; retryAfter: string | null };
async function ask(method: string, path: string, body?: unknown, token = TOKEN): Promise<Answer> {
  const response = await fetch(discovery.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const received = await response.text();
  const parsed = received ? (JSON.parse(received) as Record<string, unknown>) : {};
  return { status: response.status, body: parsed, retryAfter: response.headers.get('retry-after') };
}

const assign = (key: string): Promise<Answer> => ask('POST', '/v1/assign', { key });
const where = (key: string): Promise<Answer> => ask('GET', `/v1/where?key=${encodeURIComponent(key)}`);
const post = (userId: string, idempotent = false, deadlineMs = 15_000): ReturnType<Cells['request']> =>
  cells.request(`user:${userId}`, {
    method: 'POST',
    path: `/users/${userId}/do`,
    body: 'x',
    idempotent,
    deadlineMs,
  });
const nodeOf = async (response: { json(): Promise<unknown> }): Promise<string> =>
  ((await response.json()) as { node: string }).node;
const served = (key: string, node?: string): Promise<unknown> =>
  until(
    () =>
      cells.where(key).then(
        (found) => !node || found.node === node,
        () => false,
      ),
    {
      ...WAIT,
      what: `${key} to be served by ${node ?? 'anybody'}`,
    },
  );

beforeEach(async () => {
  closers = [];
  folder = await mkdtemp(join(tmpdir(), 'discovery-'));
  coordinator = await startCoordination();
  discovery = await startDiscovery();
  await until(async () => (await fetch(`${discovery.url}/readyz`)).ok, { ...WAIT, what: 'the first map' });
  cells = await openClient();
});

afterEach(async () => {
  await cells.close();
  for (const close of closers.reverse()) await close();
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

test('buckets start unassigned and go to the enabled cell with the fewest; nothing moves when a cell comes', async () => {
  assert.equal((await assign('user:u1')).body.type, 'urn:cellpost:error:no-cell');
  await putCell('a');
  await putCell('b');
  await putCell('off', 'Disabled');
  assert.equal((await where('user:u1')).status, 404);
  assert.equal((await where('user:u1')).body.type, 'urn:cellpost:error:unassigned');
  const keys = Array.from({ length: 20 }, (_, i) => `user:u${i}`);
  const given = await Promise.all(keys.map(async (key) => (await assign(key)).body.cell));
  assert.equal(given.filter((cell) => cell === 'a').length, 10);
  assert.equal(given.filter((cell) => cell === 'b').length, 10);
  await putCell('c');
  assert.deepEqual(await Promise.all(keys.map(async (key) => (await assign(key)).body.cell)), given);
  assert.equal((await assign('user:another')).body.cell, 'c');
  assert.equal((await ask('GET', '/v1/cells/c')).body.buckets, 1);
});

test('two discoveries on one map give each bucket to one cell', async () => {
  await putCell('a');
  await putCell('b');
  const first = discovery;
  const second = await startDiscovery();
  const keys = Array.from({ length: 40 }, (_, i) => `user:u${i}`);
  const askAt = async (url: string): Promise<string[]> => {
    const answers = keys.map(async (key) => {
      const response = await fetch(`${url}/v1/assign`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ key }),
      });
      return ((await response.json()) as { cell: string }).cell;
    });
    return Promise.all(answers);
  };
  await until(async () => (await fetch(`${second.url}/readyz`)).ok, WAIT);
  const [one, two] = await Promise.all([askAt(first.url), askAt(second.url)]);
  assert.deepEqual(one, two);
});

test('where names cell and node, many keys at once; what is refused says why', async () => {
  await putCell('a');
  const stub = await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  const answer = (await where('user:u1')).body;
  assert.equal(answer.node, 'a-0');
  assert.equal(answer.url, stub.url);
  assert.equal(answer.bucket, hashKey('user:u1').bucket);
  const { answers } = (await ask('POST', '/v1/where', { keys: ['user:u1', 'user:nobody'] })).body as {
    answers: { node?: string; error?: string }[];
  };
  assert.deepEqual(
    answers.map(({ node, error }) => node ?? error),
    ['a-0', 'urn:cellpost:error:unassigned'],
  );
  await putCell('a', 'Disabled');
  const disabled = await where('user:u1');
  assert.equal(disabled.status, 503);
  assert.equal(disabled.body.type, 'urn:cellpost:error:cell-disabled');
  await assert.rejects(
    until(() => cells.where('user:u1').then(() => undefined), WAIT),
    CellDisabled,
  );
  await putCell('a', 'Draining');
  assert.equal((await where('user:u1')).status, 200);
  await stub.become('draining');
  await until(async () => (await where('user:u1')).body.type === 'urn:cellpost:error:no-node', WAIT);
  assert.ok((await where('user:u1')).retryAfter);
});

test('the summary says how buckets and keys are shared, and how old it is', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await startStub('a', 'a-1');
  await ask('POST', '/v1/assign', { key: 'user:u1' });
  type Summary = { unassignedBuckets: number; ageSeconds: number; cells: { members: { share: number }[] }[] };
  const summary = await until(
    async () => {
      const { status, body } = await ask('GET', '/v1/summary');
      const found = body as Summary;
      return status === 200 && found.cells[0]?.members.length === 2 && found;
    },
    { ...WAIT, what: 'both members' },
  );
  assert.equal(summary.unassignedBuckets, 65_535);
  assert.equal(summary.ageSeconds, 0);
  const [a = 0, b = 0] = summary.cells[0]?.members.map(({ share }) => share) ?? [];
  assert.ok(a > 0.2 && b > 0.2 && Math.abs(a + b - 1) < 1e-9, `${a} and ${b}`);
});

test('what is too much is refused at once, health never, and what was taken is answered', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await coordinator.close();
  // Changes wait for the coordination: they are what piles up.
  const answers = Array.from({ length: 400 }, (_, index) =>
    ask('POST', '/v1/assign', { key: `user:u${index}` }),
  );
  const first = await Promise.race(answers);
  assert.equal(first.status, 503);
  assert.ok(Number(first.retryAfter) >= 1);
  assert.equal((await fetch(`${discovery.url}/healthz`)).status, 200);
  assert.equal((await fetch(`${discovery.url}/readyz`)).status, 200);
  await Promise.all(answers);
  const metrics = await (await fetch(`${discovery.url}/metrics`)).text();
  assert.match(metrics, /^cellpost_discovery_refused_total [1-9]/m);
  coordinator = await startCoordination();
  assert.equal((await ask('GET', '/v1/map')).status, 200);
});

test('bad requests are refused, strangers learn nothing, and the next request works', async () => {
  assert.equal((await ask('GET', '/v1/map', undefined, 'wrong')).status, 401);
  assert.equal((await ask('GET', '/v1/where')).status, 400);
  assert.equal(
    (await ask('POST', '/v1/where', { keys: Array.from({ length: 1001 }, () => 'k') })).status,
    400,
  );
  assert.equal((await ask('POST', '/v1/where', '{"keys":[')).status, 400);
  assert.equal((await ask('POST', '/v1/assign', { key: 7 })).status, 400);
  assert.equal((await ask('POST', '/v1/assign', { key: 'x'.repeat(2_000_000) })).status, 413);
  const record = { state: 'Enabled', dataCenter: 'here', coordination: coordinator.url('/x') };
  assert.equal((await ask('PUT', '/v1/cells/Not..a-name', record)).status, 400);
  assert.equal((await ask('PUT', '/v1/cells/a', { ...record, state: 'Open' })).status, 400);
  const bad = await ask('PUT', '/v1/cells/a', { ...record, coordination: 'ftp://x' });
  assert.equal(bad.status, 400);
  assert.match(String(bad.body.detail), /is no coordination URL/);
  assert.equal((await ask('DELETE', '/v1/cells/a')).status, 404);
  assert.equal((await ask('PUT', '/v1/cells/a', record)).status, 201);
  assert.equal((await ask('PUT', '/v1/cells/a', record)).status, 200);
});

test('a cell is forgotten only when no bucket maps to it, or when that is meant', async () => {
  await putCell('a');
  await assign('user:u1');
  const refused = await ask('DELETE', '/v1/cells/a');
  assert.equal(refused.status, 409);
  assert.equal(refused.body.buckets, 1);
  assert.equal((await ask('GET', '/v1/cells/a')).body.state, 'Enabled');
  assert.equal((await ask('DELETE', '/v1/cells/a?withData=true')).status, 204);
  await until(async () => (await where('user:u1')).status === 404, WAIT);
  await assert.rejects(
    until(
      () =>
        cells.where('user:u1').then(
          () => undefined,
          (error: unknown) => {
            if (error instanceof Unassigned) throw error;
          },
        ),
      WAIT,
    ),
    Unassigned,
  );
});

test('a join, a leave and a crash change where everybody looks, at once', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  const keys = Array.from({ length: 50 }, (_, i) => `user:u${i}`);
  for (const key of keys) await assign(key);
  await served('user:u49');
  const second = await startStub('a', 'a-1');
  await until(
    async () => (await Promise.all(keys.map((key) => cells.where(key)))).some(({ node }) => node === 'a-1'),
    WAIT,
  );
  await second.leave();
  await until(
    async () => (await Promise.all(keys.map((key) => cells.where(key)))).every(({ node }) => node === 'a-0'),
    WAIT,
  );
  const child = spawn(process.execPath, [STUB, coordinator.url('/cells/a'), 'a-2'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await until(
    async () => (await Promise.all(keys.map((key) => cells.where(key)))).some(({ node }) => node === 'a-2'),
    WAIT,
  );
  const start = performance.now();
  child.kill('SIGKILL');
  await until(
    async () => (await Promise.all(keys.map((key) => cells.where(key)))).every(({ node }) => node === 'a-0'),
    WAIT,
  );
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
  const child = spawn(process.execPath, [STUB, coordinator.url('/cells/a'), 'a-1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  for (const user of users) await assign(`user:${user}`);
  await until(
    async () =>
      (await Promise.all(users.map((user) => cells.where(`user:${user}`)))).some(
        ({ node }) => node === 'a-1',
      ),
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
    response.writeHead(421).end(
      JSON.stringify({
        type: 'urn:cellpost:error:misdirected',
        owner: { name: 'a-9', url: hidden.url },
        ringVersion: Number.MAX_SAFE_INTEGER,
      }),
    );
    return true;
  };
  assert.equal(await nodeOf(await post('u1')), 'a-9');
  assert.equal(redirects, 1);
  hidden.intercept = (_request, response) => {
    response.writeHead(421).end(
      JSON.stringify({
        type: 'urn:cellpost:error:misdirected',
        owner: { name: 'a-0', url: first.url },
        ringVersion: Number.MAX_SAFE_INTEGER,
      }),
    );
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

test('answers go on from memory while the coordination is away, and follow again afterwards', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  await coordinator.close();
  await until(async () => {
    const metrics = await (await fetch(`${discovery.url}/metrics`)).text();
    const stale = /cellpost_discovery_stale_seconds\{source="cell a"\} (\S+)/.exec(metrics)?.[1];
    return Number(stale) > 0;
  }, WAIT);
  assert.equal((await where('user:u1')).body.node, 'a-0');
  assert.equal((await fetch(`${discovery.url}/readyz`)).status, 200);
  assert.equal(await nodeOf(await post('u1')), 'a-0');
  const refused = await assign('user:new');
  assert.equal(refused.status, 503);
  coordinator = await startCoordination();
  // The stub's session has gone with the old coordinator; another takes the place.
  await startStub('a', 'a-1');
  await served('user:u1', 'a-1');
  assert.equal((await assign('user:new')).body.cell, 'a');
});

test('a start while the coordination is away finds the last map in the state folder', async () => {
  const stateFolder = join(folder, 'state');
  await discovery.close();
  await cells.close();
  discovery = await startDiscovery({ CELLPOST_STATE_DIR: stateFolder });
  cells = await openClient();
  await putCell('a');
  await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  await discovery.close();
  await coordinator.close();
  discovery = await startDiscovery({ CELLPOST_STATE_DIR: stateFolder });
  assert.equal((await where('user:u1')).body.node, 'a-0');
  assert.equal((await fetch(`${discovery.url}/readyz`)).status, 200);
  const empty = await startDiscovery();
  assert.equal((await fetch(`${empty.url}/readyz`)).status, 503);
  coordinator = await startCoordination();
  await until(async () => (await fetch(`${empty.url}/readyz`)).ok, WAIT);
});

test('a cell that can not be reached touches no other, and serves when its coordination moves', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await cells.putCell('b', {
    state: 'Enabled',
    dataCenter: 'here',
    coordination: 'local:/nowhere/at/all.sock',
  });
  await Promise.all(['user:u1', 'user:u2'].map((key) => assign(key)));
  const [inA, inB] =
    (await where('user:u1')).body.cell === 'a' ? ['user:u1', 'user:u2'] : ['user:u2', 'user:u1'];
  await until(async () => (await where(inA)).status === 200, WAIT);
  assert.equal((await where(inB)).body.type, 'urn:cellpost:error:no-node');
  assert.equal((await ask('GET', '/v1/cells/b')).body.current, false);
  await startStub('b', 'b-0');
  await putCell('b');
  await until(async () => (await where(inB)).body.node === 'b-0', WAIT);
  assert.equal((await where(inA)).body.node, 'a-0');
});

test('clients get over a restart of discovery, and over one that hangs', async () => {
  await putCell('a');
  await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  const { port } = new URL(discovery.url);
  await discovery.close();
  assert.equal(await nodeOf(await post('u1')), 'a-0');
  discovery = await startDiscovery({ CELLPOST_HTTP_PORT: port });
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
  const lost = await openCells({
    discoveryUrl: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    token: TOKEN,
    logger,
  });
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
  const client = await openCells({ discoveryUrl: `http://127.0.0.1:${service.port}`, token: TOKEN, logger });
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
    const late = await openCells({ discoveryUrl: `http://127.0.0.1:${service.port}`, token: TOKEN, logger });
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
