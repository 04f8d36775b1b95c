import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortedSet } from './sorted.ts';
import { WordLists } from './word-lists.ts';

/** Numbers are 4 bytes: what would be held with no garbage at all. */
const liveBytes = (lists: WordLists): number =>
  [...lists.users()].reduce((bytes, user) => bytes + lists.record(user).byteLength, 0);

test('words are those of a plain map, whatever was said how often, and memory stays near what they take', () => {
  const list = fc.oneof(
    fc.array(fc.nat(100_000), { maxLength: 300 }),
    fc.integer({ min: 0, max: 70_000 }).map((length) => Array.from({ length }, (_, n) => n * 3)),
  );
  const words = fc.record({ added: list, removed: fc.array(fc.nat(100_000), { maxLength: 20 }) });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40), words), { maxLength: 120 }), (said) => {
      const lists = new WordLists();
      const plain = new Map<number, { added: Uint32Array; removed: Uint32Array }>();
      for (const [user, { added, removed }] of said) {
        const now = { added: sortedSet(added), removed: sortedSet(removed) };
        lists.set(user, now);
        if (now.added.length + now.removed.length > 0) plain.set(user, now);
        else plain.delete(user);
      }
      assert.deepEqual(
        [...lists.users()],
        [...plain.keys()].sort((a, b) => a - b),
      );
      assert.equal(lists.size, plain.size);
      for (const [user, now] of plain) assert.deepEqual(lists.get(user), now);
    }),
    { numRuns: 40 },
  );
});

test('said again and again, words take little more memory than the last of them', () => {
  const lists = new WordLists();
  const USERS = 4_000;
  for (let n = 0; n < 20 * USERS; n++) {
    const user = (n * 7_919) % USERS;
    const added = Uint32Array.from(
      { length: 100 + ((n * 31) % 200) },
      (_, i) => i * 5 + (Math.floor(n / USERS) % 5),
    );
    assert.equal(lists.set(user, { added, removed: Uint32Array.of(1_000_000) }), true);
    assert.equal(lists.set(user, { added, removed: Uint32Array.of(1_000_000) }), false);
  }
  assert.equal(lists.size, USERS);
  const ratio = lists.byteLength / liveBytes(lists);
  assert.ok(ratio < 1.25, `${ratio} of what they take`);
});
