import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allPages } from './forest.ts';
import type { Layout } from './page.ts';
import { Tree } from './tree.ts';

/** Small leaves: a thousand records make three levels. */
const LAYOUT: Layout = { keyBytes: 2, valueBytes: 1, leafRecords: 4 };

function record(key: number, value = 0): Uint8Array {
  return Uint8Array.of(key >>> 8, key, value);
}

function keyOf(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
}

function keys(tree: Tree): number[] {
  return Array.from(tree.range(), keyOf);
}

const operations = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('put'), key: fc.nat(1_500), value: fc.nat(255) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('delete'), key: fc.nat(1_500), value: fc.constant(0) }),
    },
    // In order, as mail arrives.
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('append'), key: fc.nat(3), value: fc.nat(255) }) },
  ),
  { maxLength: 1_500, size: 'max' },
);

test('a tree holds what a sorted map would hold, finds it by key, by index and by range, and never changes', () => {
  fc.assert(
    fc.property(operations, fc.nat(1_500), fc.nat(1_500), (list, from, to) => {
      const model = new Map<number, number>();
      let tree = new Tree(LAYOUT);
      const taken: { tree: Tree; keys: number[] }[] = [];
      for (const [at, { kind, key: given, value }] of list.entries()) {
        const key = kind === 'append' ? 2_000 + at * 4 + given : given;
        if (kind === 'delete') {
          tree = tree.delete(record(key));
          model.delete(key);
        } else {
          tree = tree.put(record(key, value));
          model.set(key, value);
        }
        if (at % 300 === 0) taken.push({ tree, keys: [...model.keys()].sort((a, b) => a - b) });
      }
      const sorted = [...model.keys()].sort((a, b) => a - b);
      assert.deepEqual(keys(tree), sorted);
      assert.equal(tree.size, sorted.length);
      for (const [index, key] of sorted.entries()) {
        assert.deepEqual(tree.get(record(key)), Uint8Array.of(model.get(key) ?? 0));
        assert.equal(keyOf(tree.at(index) ?? record(0)), key);
        assert.equal(tree.rank(record(key)), index);
      }
      assert.equal(tree.at(sorted.length), undefined);
      assert.equal(tree.get(record(65_535)), undefined);
      const range = tree.range({ from: record(from).subarray(0, 2), to: record(to).subarray(0, 2) });
      assert.deepEqual(
        Array.from(range, keyOf),
        sorted.filter((key) => key >= from && key < to),
      );
      for (const before of taken) assert.deepEqual(keys(before.tree), before.keys);
    }),
    { numRuns: 60 },
  );
});

test('the pages of a tree that grew at its end are full, and those of one that shrank are few', () => {
  const layout = { ...LAYOUT, leafRecords: 16 };
  let tree = new Tree(layout);
  for (let key = 0; key < 4_000; key++) tree = tree.put(record(key));
  const pages = (): number => [...allPages([tree])].length;
  assert.ok(pages() < 4_000 / 16 + 10, `${pages()} pages`);
  for (let key = 0; key < 4_000; key++) if (key % 16 !== 0) tree = tree.delete(record(key));
  assert.equal(tree.size, 250);
  assert.ok(pages() < 4_000 / 64, `${pages()} pages`);
  for (let key = 0; key < 4_000; key += 16) tree = tree.delete(record(key));
  assert.equal(tree.root, undefined);
});
