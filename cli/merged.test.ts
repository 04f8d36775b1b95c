import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { merged } from './merged.ts';

test('results of all items come, of each in its order, and no more run at once than may', async () => {
  let running = 0;
  let most = 0;
  async function* work(item: number): AsyncGenerator<string> {
    most = Math.max(most, ++running);
    for (let part = 0; part < 3; part++) {
      for (let turns = 0; turns < item % 4; turns++) await turn();
      yield `${item}.${part}`;
    }
    running--;
  }
  const found: string[] = [];
  for await (const result of merged(
    Array.from({ length: 20 }, (_, index) => index),
    4,
    work,
  ))
    found.push(result);
  assert.equal(found.length, 60);
  for (let item = 0; item < 20; item++)
    assert.deepEqual(
      found.filter((result) => result.startsWith(`${item}.`)),
      [`${item}.0`, `${item}.1`, `${item}.2`],
    );
  assert.equal(most, 4);
});

test('the first error ends it, and the others are let go', async () => {
  let ended = 0;
  async function* work(item: number): AsyncGenerator<number> {
    try {
      for (let part = 0; ; part++) {
        if (item === 2 && part === 5) throw new Error('broken');
        await turn();
        yield part;
      }
    } finally {
      ended++;
    }
  }
  await assert.rejects(async () => {
    for await (const result of merged([1, 2, 3], 3, work)) assert.ok(result >= 0);
  }, /broken/);
  await turn();
  await turn();
  assert.equal(ended, 3);
});
