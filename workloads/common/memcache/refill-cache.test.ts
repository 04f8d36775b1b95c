import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { memcachedProgram, startMemcached, type Memcached } from '../../../test/support/memcached.ts';
import { until } from '../../../test/support/wait.ts';
import { MemcacheUnavailable } from './connection.ts';
import { RefillCache } from './refill-cache.ts';

const found = await memcachedProgram();
const skip = 'missing' in found ? found.missing : false;
const program = 'program' in found ? found.program : '';

const one = Buffer.from('one');
const two = Buffer.from('two');
let servers: Memcached[] = [];
let cache: RefillCache;

before(async () => {
  if (skip) return;
  servers = await Promise.all([1, 2].map(async () => startMemcached(program, await freePort())));
  cache = new RefillCache(
    servers.map(({ port }) => `127.0.0.1:${port}`),
    'test',
  );
});
after(async () => {
  cache?.close();
  await Promise.all(servers.map((server) => server.kill()));
});

test('One asker of many gets the token, and what it stores is found', { skip }, async () => {
  const asked = await Promise.all(Array.from({ length: 20 }, () => cache.get('a')));
  const tokens = asked.flatMap(({ token }) => (token === undefined ? [] : [token]));
  assert.equal(tokens.length, 1);
  assert.ok(asked.every(({ value }) => value === undefined));
  assert.ok(await cache.store('a', one, tokens[0] ?? ''));
  assert.deepEqual(await cache.get('a'), { value: one, token: undefined });
});

test('A refill that began before an invalidation stores nothing', { skip }, async () => {
  const { token = '' } = await cache.get('b');
  await cache.invalidate('b');
  assert.equal(await cache.store('b', one, token), false);
  const next = await cache.get('b');
  assert.equal(next.value, undefined);
  assert.ok(await cache.store('b', two, next.token ?? ''));
  assert.deepEqual((await cache.get('b')).value, two);
});

test('A stored value is gone after an invalidation, and one asker may store it anew', { skip }, async () => {
  const { token = '' } = await cache.get('c');
  await cache.store('c', one, token);
  await cache.invalidate('c');
  const first = await cache.get('c');
  const second = await cache.get('c');
  assert.equal(first.value, undefined);
  assert.ok(first.token !== undefined);
  assert.deepEqual(second, { value: undefined, token: undefined });
});

test('A server that died fails what is under way, and serves again when it is back', { skip }, async () => {
  const port = await freePort();
  let server = await startMemcached(program, port);
  const own = new RefillCache([`127.0.0.1:${port}`], 'test');
  try {
    await own.get('d');
    await server.kill();
    await assert.rejects(own.get('d'), MemcacheUnavailable);
    server = await startMemcached(program, port);
    const back = await until(() => own.get('d').catch(() => undefined), { timeoutMs: 10_000 });
    assert.ok(back.token !== undefined);
  } finally {
    own.close();
    await server.kill();
  }
});

test(
  'A token from before a server was started anew stores nothing, though that one counts from the beginning',
  { skip },
  async () => {
    const port = await freePort();
    let server = await startMemcached(program, port);
    const [slow, quick] = [0, 1].map(() => new RefillCache([`127.0.0.1:${port}`], 'test'));
    assert.ok(slow && quick);
    try {
      const { token = '' } = await slow.get('f');
      await server.kill();
      await assert.rejects(slow.get('f'), MemcacheUnavailable);
      server = await startMemcached(program, port);
      const other = await until(() => quick.get('f').catch(() => undefined), { timeoutMs: 10_000 });
      // The same number, of another server.
      assert.equal(other.token?.split(':')[1], token.split(':')[1]);
      await until(() => slow.get('g').catch(() => undefined), { timeoutMs: 10_000 });
      assert.equal(await slow.store('f', one, token), false);
      assert.ok(await quick.store('f', two, other.token ?? ''));
      assert.deepEqual((await slow.get('f')).value, two);
    } finally {
      slow.close();
      quick.close();
      await server.kill();
    }
  },
);

for (const [kind, answer] of [
  ['silence', ''],
  ['a line without an end', 'V'.repeat(10_000)],
  ['another protocol', 'HTTP/1.1 200 OK\r\n'],
  ['a value of no size', 'VA 999999999 c1\r\n'],
] as const) {
  test(`A server that answers with ${kind} is unavailable`, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const own = new RefillCache([`127.0.0.1:${port}`], 'test');
    try {
      await assert.rejects(own.get('e'), MemcacheUnavailable);
    } finally {
      own.close();
      server.close();
    }
  });
}
