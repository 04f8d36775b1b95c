// Discovery's own answers: the map, look-ups, what it refuses, and how it fares without its coordination.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CellDisabled, Unassigned } from '../../workloads/common/cell-client/errors.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { until } from '../support/wait.ts';
import {
  ask,
  assign,
  cells,
  coordinator,
  discovery,
  folder,
  nodeOf,
  post,
  putCell,
  replaceClient,
  replaceDiscovery,
  served,
  startCoordination,
  startDiscovery,
  startStub,
  TOKEN,
  WAIT,
  where,
} from './discovery-harness.ts';

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
  await startCoordination();
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
  await startCoordination();
  // The stub's session has gone with the old coordinator; another takes the place.
  await startStub('a', 'a-1');
  await served('user:u1', 'a-1');
  assert.equal((await assign('user:new')).body.cell, 'a');
});

test('a start while the coordination is away finds the last map in the state folder', async () => {
  const stateFolder = join(folder, 'state');
  await discovery.close();
  await cells.close();
  await replaceDiscovery({ CELLPOST_STATE_DIR: stateFolder });
  await replaceClient();
  await putCell('a');
  await startStub('a', 'a-0');
  await assign('user:u1');
  await served('user:u1');
  await discovery.close();
  await coordinator.close();
  await replaceDiscovery({ CELLPOST_STATE_DIR: stateFolder });
  assert.equal((await where('user:u1')).body.node, 'a-0');
  assert.equal((await fetch(`${discovery.url}/readyz`)).status, 200);
  const empty = await startDiscovery();
  assert.equal((await fetch(`${empty.url}/readyz`)).status, 503);
  await startCoordination();
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
