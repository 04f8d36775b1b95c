import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryLimiter } from './rate-limit.ts';
import { WorkQueue } from './work-queue.ts';

test('a key that is added often is worked on once', async () => {
  const queue = new WorkQueue();
  for (let i = 0; i < 5; i++) queue.add('a');
  queue.add('b');
  assert.equal(await queue.take(), 'a');
  assert.equal(await queue.take(), 'b');
  assert.equal(queue.depth, 0);
  queue.close();
});

test('a key at work is given to no second worker, and comes again when it was added meanwhile', async () => {
  const queue = new WorkQueue();
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  queue.add('a');
  const next = queue.take();
  let given = false;
  void next.then(() => (given = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(given, false);
  queue.done('a');
  assert.equal(await next, 'a');
  queue.done('a');
  assert.equal(queue.depth, 0);
  queue.close();
});

test('of several later times the earliest counts', async () => {
  const queue = new WorkQueue();
  const keepAlive = setTimeout(() => undefined, 10_000);
  queue.addAfter('a', 60_000);
  queue.addAfter('a', 5);
  queue.addAfter('a', 60_000);
  assert.equal(await queue.take(), 'a');
  clearTimeout(keepAlive);
  queue.close();
});

test('closing lets waiting workers end', async () => {
  const queue = new WorkQueue();
  const taken = queue.take();
  queue.close();
  assert.equal(await taken, undefined);
  queue.add('a');
  assert.equal(await queue.take(), undefined);
});

test('each failure of a key doubles its delay up to a bound, success starts anew', () => {
  const limiter = new RetryLimiter(() => 0);
  const delays = Array.from({ length: 10 }, () => limiter.delayMs('a'));
  assert.deepEqual(delays.slice(0, 4), [250, 500, 1000, 2000]);
  assert.equal(delays.at(-1), 60_000);
  limiter.forget('a');
  assert.equal(limiter.delayMs('a'), 250);
});

test('many keys that fail at once share a rate', () => {
  let now = 0;
  const limiter = new RetryLimiter(() => now);
  const delays = Array.from({ length: 300 }, (_, i) => limiter.delayMs(`key-${i}`));
  assert.equal(delays[99], 250);
  assert.equal(delays[299], 4_000, '200 keys beyond the burst at 50 a second');
  now = 30_000;
  assert.equal(limiter.delayMs('later'), 250);
});

test('however much fails, a key waits no longer than a minute for its turn', () => {
  const limiter = new RetryLimiter(() => 0);
  const delays = Array.from({ length: 10_000 }, (_, i) => limiter.delayMs(`key-${i % 1_000}`));
  assert.equal(Math.max(...delays), 60_000);
});
