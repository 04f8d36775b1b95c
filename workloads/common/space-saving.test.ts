import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpaceSaving } from './space-saving.ts';

const exact = (stream: readonly (readonly [string, number])[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const [key, weight] of stream) counts.set(key, (counts.get(key) ?? 0) + weight);
  return counts;
};

test('while the keys fit, counts are exact', () => {
  const sketch = new SpaceSaving(3);
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) sketch.add(key, 1);
  assert.deepEqual(
    sketch.entries().toSorted((a, b) => b.count - a.count),
    [
      { key: 'a', count: 3, error: 0 },
      { key: 'b', count: 2, error: 0 },
      { key: 'c', count: 1, error: 0 },
    ],
  );
});

test('a heavy key is found among any number of light ones', () => {
  const sketch = new SpaceSaving(16);
  for (let i = 0; i < 10_000; i++) {
    sketch.add(`light ${i}`, 1);
    if (i % 10 === 0) sketch.add('heavy', 1);
  }
  const [first] = sketch.entries().toSorted((a, b) => b.count - b.error - (a.count - a.error));
  assert.equal(first?.key, 'heavy');
  assert.equal(sketch.entries().length, 16);
});

test('its promises hold for any stream', () => {
  const stream = fc.array(fc.tuple(fc.constantFrom(...'abcdefghijkl'), fc.integer({ min: 1, max: 9 })));
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 6 }), (stream, capacity) => {
      const sketch = new SpaceSaving(capacity);
      for (const [key, weight] of stream) sketch.add(key, weight);
      const counts = exact(stream);
      const entries = sketch.entries();
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      assert.ok(entries.length <= capacity);
      assert.equal(
        entries.reduce((sum, { count }) => sum + count, 0),
        total,
      );
      for (const { key, count, error } of entries) {
        const real = counts.get(key) ?? 0;
        assert.ok(count >= real && count - error <= real, `${key}: ${count} - ${error}, really ${real}`);
      }
      for (const [key, count] of counts)
        if (count > total / capacity)
          assert.ok(
            entries.some((entry) => entry.key === key),
            `${key} is missing`,
          );
    }),
  );
});
