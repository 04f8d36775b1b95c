import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BucketMap, BUCKETS } from './buckets.ts';

test('a map comes back from its text as it was, and equal maps have equal texts', () => {
  const changes = fc.array(fc.tuple(fc.nat(BUCKETS - 1), fc.constantFrom('a', 'b', 'c', undefined)), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(changes, (list) => {
      const map = BucketMap.empty.with(list);
      const back = BucketMap.decode(JSON.parse(JSON.stringify(map.encode())));
      assert.deepEqual(back.changesSince(map), []);
      const last = new Map(list);
      for (const [bucket, cell] of last) assert.equal(back.cellOf(bucket), cell);
      assert.deepEqual(BucketMap.empty.with(last).encode(), map.encode());
      assert.equal(
        [...map.counts().values()].reduce((sum, count) => sum + count, 0),
        [...last.values()].filter((cell) => cell !== undefined).length,
      );
    }),
    { numRuns: 30 },
  );
});

test('changes lead from one map to another', () => {
  const before = BucketMap.empty.with([
    [1, 'a'],
    [2, 'b'],
    [65_535, 'a'],
  ]);
  const after = before.with([
    [1, 'b'],
    [2, undefined],
    [3, 'c'],
  ]);
  assert.deepEqual(after.changesSince(before), [
    [1, 'b'],
    [2, null],
    [3, 'c'],
  ]);
  assert.deepEqual(before.bucketsOf('a'), [1, 65_535]);
  assert.equal(before.cellOf(3), undefined, 'a map never changes');
});

test('a map that could not be more scattered fits a node of ZooKeeper many times', () => {
  let seed = 1;
  const next = (): number => (seed = (seed * 48_271) % 2_147_483_647);
  const cells = Array.from({ length: 32 }, (_, i) => `cell-${i}`);
  const map = BucketMap.empty.with(
    Array.from({ length: BUCKETS }, (_, bucket) => [bucket, cells[next() % 32]] as const),
  );
  assert.ok(JSON.stringify(map.encode()).length < 150_000);
});

test('what is no map is refused', () => {
  const good = BucketMap.empty.encode();
  for (const bad of [
    undefined,
    {},
    { ...good, format: 2 },
    { ...good, buckets: '' },
    { ...good, buckets: 'AAAA' },
  ])
    assert.throws(() => BucketMap.decode(bad));
});
