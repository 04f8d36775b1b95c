import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BucketMap } from '../cell-client/buckets.ts';
import { planMoves } from './plan.ts';

function mapOf(counts: Record<string, number>): BucketMap {
  let next = 0;
  const changes = Object.entries(counts).flatMap(([cell, count]) =>
    Array.from({ length: count }, () => [next++, cell] as const),
  );
  return BucketMap.empty.with(changes);
}

const apply = (map: BucketMap, moves: ReturnType<typeof planMoves>): BucketMap =>
  map.with(moves.map(({ bucket, to }) => [bucket, to]));

test('a new cell gets its share, and no bucket moves in vain', () => {
  const map = mapOf({ a: 30, b: 31 });
  const moves = planMoves(map, { cells: ['a', 'b', 'c'] });
  assert.deepEqual([...apply(map, moves).counts().values()].sort(), [20, 20, 21]);
  assert.equal(moves.length, 20);
  assert.ok(moves.every(({ to }) => to === 'c'));
  assert.deepEqual(planMoves(apply(map, moves), { cells: ['a', 'b', 'c'] }), []);
});

test('shares are even in the end, whatever they were, and each move says where its bucket is', () => {
  const shares = fc.array(fc.nat(60), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(shares, fc.option(fc.nat(20), { nil: undefined }), (counts, limit) => {
      const names = counts.map((_, index) => `cell-${index}`);
      const map = mapOf(Object.fromEntries(names.map((name, index) => [name, counts[index] ?? 0])));
      const moves = planMoves(map, { cells: names, limit });
      assert.equal(new Set(moves.map(({ bucket }) => bucket)).size, moves.length);
      for (const { bucket, from } of moves) assert.equal(map.cellOf(bucket), from);
      const after = names.map((name) => apply(map, moves).counts().get(name) ?? 0);
      if (limit === undefined) assert.ok(Math.max(...after) - Math.min(...after) < 2);
      else assert.ok(moves.length <= limit);
    }),
  );
});

test('one cell alone may be filled', () => {
  const moves = planMoves(mapOf({ a: 10, b: 0, c: 10 }), { cells: ['a', 'b', 'c'], to: 'b', limit: 3 });
  assert.deepEqual(
    moves.map(({ to }) => to),
    ['b', 'b', 'b'],
  );
});
