// What mail waits for when the user index answers slowly, badly or not at all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { IndexRelations } from './index-relations.ts';

const DEADLINE_MS = 100;
/** Longer than the breaker keeps everybody away. */
const OPEN_MS = 1_100;
const SENDER = 'sender@example.org';

type Index = { paths: string[]; answer: (response: ServerResponse, path: string) => void };

const say =
  (status: number, value: unknown = {}): Index['answer'] =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

async function start(t: TestContext): Promise<{ relations: IndexRelations; index: Index }> {
  const index: Index = { paths: [], answer: say(500) };
  const server = createServer(({ url = '' }, response) => {
    index.paths.push(url);
    index.answer(response, url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relations = new IndexRelations({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: 'a token',
    deadlineMs: DEADLINE_MS,
    logger: createLogger('test', 'silent'),
    metrics: new WorkloadMetrics('app_server'),
  });
  t.after(async () => {
    await relations.close();
    server.closeAllConnections();
    server.close();
  });
  return { relations, index };
}

test('a sender is looked up by address once, then asked for by user', async (t) => {
  const { relations, index } = await start(t);
  index.answer = (response, path) =>
    say(200, path.startsWith('/v1/sender') ? { userId: 'u2', degree: 2 } : { degree: 1 })(response, path);
  assert.equal(await relations.degree('u1', SENDER), 'friend-of-friend');
  assert.equal(await relations.degree('u1', SENDER), 'friend');
  assert.deepEqual(index.paths, [
    '/v1/sender?userId=u1&address=sender%40example.org',
    '/v1/degree?a=u1&b=u2',
  ]);
});

test('an index that hangs is waited for until the deadline; after five failures nobody waits for a while', async (t) => {
  const { relations, index } = await start(t);
  index.answer = () => {};
  for (let n = 0; n < 5; n++) assert.equal(await relations.degree('u1', SENDER), 'unknown');
  assert.equal(index.paths.length, 5);
  for (let n = 0; n < 20; n++) assert.equal(await relations.degree('u1', SENDER), 'unknown');
  assert.equal(index.paths.length, 5, 'the index is left alone');
  index.answer = say(200, { userId: null, degree: 'far' });
  await delay(OPEN_MS);
  assert.equal(await relations.degree('u1', SENDER), 'none');
  assert.equal(index.paths.length, 6);
});

test('a success between failures counts, and 503 is no failure', async (t) => {
  const { relations, index } = await start(t);
  for (const status of [500, 500, 500, 500, 503, 500, 500, 500, 500, 503]) {
    index.answer = say(status);
    assert.equal(await relations.degree('u1', SENDER), 'unknown');
  }
  assert.equal(index.paths.length, 10);
});

test('an answer that makes no sense tells nothing', async (t) => {
  const { relations, index } = await start(t);
  for (const value of [{ degree: 3, userId: 'u2' }, { degree: 1, userId: '../x' }, [], 'far']) {
    index.answer = say(200, value);
    assert.equal(await relations.degree('u1', SENDER), 'unknown');
  }
});
