import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { entryCodec } from '../log/entry.ts';
import { friendWord, friendWords } from '../image/friends.ts';
import { imageSnapshots } from '../image/snapshot.ts';
import { addFriend, MAX_FRIENDS, removeFriend } from './friends.ts';
import { transactions } from './testing.ts';

test('what a log says of friends is the last word on each, as a naive model has it, also after a snapshot', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 2, max: 90 }), fc.boolean()), { maxLength: 300 }),
      (steps) => {
        const { image, next } = transactions();
        const model = new Map<string, boolean>();
        for (const [number, isFriend] of steps) {
          const userId = `u${number}`;
          assert.equal((isFriend ? addFriend : removeFriend)(next(), userId), undefined);
          model.set(userId, isFriend);
        }
        const { state } = imageSnapshots.decode(imageSnapshots.encode(image(), undefined, []).bytes);
        assert.equal(imageSnapshots.digest(state), imageSnapshots.digest(image()));
        assert.equal(state.kind, 'user');
        for (const folded of state.kind === 'user' ? [image(), state] : []) {
          const said = [...friendWords(folded)].map(({ userId, isFriend }) => [userId, isFriend]);
          assert.deepEqual(
            said,
            [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
          );
          assert.equal(folded.friendCount, [...model.values()].filter(Boolean).length);
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('saying again what is said already adds nothing', () => {
  const { image, next } = transactions();
  addFriend(next(), 'u2');
  const { friendsChangedAt } = image();
  addFriend(next(), 'u2');
  removeFriend(next(), 'u3');
  const afterRemoval = image().friendsChangedAt;
  removeFriend(next(), 'u3');
  assert.ok(afterRemoval > friendsChangedAt);
  assert.equal(image().friendsChangedAt, afterRemoval);
  assert.equal(friendWord(image(), 'u2')?.isFriend, true);
  assert.equal(friendWord(image(), 'u4'), undefined);
});

test('nobody is their own friend, and nobody has more friends than the limit', () => {
  const { next } = transactions();
  assert.equal(addFriend(next(), 'u1')?.type, 'invalidProperties');
  assert.equal(addFriend(next(), 'no user')?.type, 'invalidProperties');
  const tx = next();
  for (let number = 0; number < MAX_FRIENDS; number++) assert.equal(addFriend(tx, `f${number}`), undefined);
  assert.equal(addFriend(next(), 'one-more')?.type, 'overQuota');
});

test('an entry about friends reads as it was written', () => {
  const entry = {
    timeMs: 1,
    writer: { server: 'a', session: '1', number: 1 },
    actions: [
      { type: 'friendAdded', userId: 'u2' },
      { type: 'friendRemoved', userId: 'u3' },
    ],
  } as const;
  assert.deepEqual(entryCodec.decode(entryCodec.encode(entry)), entry);
});
