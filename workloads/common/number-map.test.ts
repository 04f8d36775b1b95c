import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NumberMap } from './number-map.ts';

test('values are found, replaced and taken by number', () => {
  const map = new NumberMap<{ name: string }>();
  map.set(7, { name: 'seven' });
  map.set(2 ** 40, { name: 'large' });
  map.set(7, { name: 'again' });
  assert.equal(map.size, 2);
  assert.equal(map.get(7)?.name, 'again');
  assert.equal(map.get(8), undefined);
  assert.equal(map.take(7)?.name, 'again');
  assert.equal(map.take(7), undefined);
  assert.deepEqual(
    map.values().map(({ name }) => name),
    ['large'],
  );
  map.clear();
  assert.equal(map.size, 0);
  assert.equal(map.get(2 ** 40), undefined);
});

test('what is added is removed by what add returns, once', () => {
  const map = new NumberMap<{ name: string }>();
  const [removeFirst] = [map.add({ name: 'first' }), map.add({ name: 'second' })];
  removeFirst();
  removeFirst();
  map.add({ name: 'third' });
  assert.equal(map.size, 2);
  assert.deepEqual(
    map.values().map(({ name }) => name),
    ['second', 'third'],
  );
});

test('what passed through is free at the next small collection, also after one of the whole heap', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major' | 'minor' }) => void;
  const map = new NumberMap<{ payload: number[] }>();
  const pass = (from: number, count: number): void => {
    for (let number = from; number < from + count; number++) {
      map.set(number, { payload: Array.from({ length: 1_000 }, () => number) });
      map.take(number - 10);
    }
  };
  pass(0, 100);
  // Twice: what is young at the first is old after the second.
  collect({ type: 'major' });
  collect({ type: 'major' });
  const before = process.memoryUsage().heapUsed;
  // 80 MB and more in all.
  for (let round = 0; round < 100; round++) {
    pass(100 + round * 100, 100);
    collect({ type: 'minor' });
  }
  const grownMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  assert.ok(grownMiB < 8, `${grownMiB} MiB stay`);
});
