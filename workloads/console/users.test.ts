import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busiestUsers } from './users.ts';

const work = (userId: string, requests: number, bytes = 0, appends = 0) => ({
  userId,
  requests,
  bytes,
  appends,
});

test('users of all servers are put together, the busiest by any measure first', () => {
  const users = busiestUsers([
    { member: { cell: 'a' }, users: [work('reader', 100), work('quiet', 1), work('moved', 30, 0, 1)] },
    { member: { cell: 'b' }, users: [work('writer', 5, 9_000, 50), work('moved', 40, 0, 2)] },
  ]);
  assert.deepEqual(
    users.map(({ userId, cell, requests, appends }) => [userId, cell, requests, appends]),
    [
      ['reader', 'a', 100, 0],
      ['writer', 'b', 5, 50],
      ['moved', 'a', 70, 3],
      ['quiet', 'a', 1, 0],
    ],
  );
});

test('only the busiest are told', () => {
  const many = Array.from({ length: 100 }, (_, i) => work(`user ${i}`, i));
  const users = busiestUsers([{ member: { cell: 'a' }, users: many }]);
  assert.equal(users.length, 15);
  assert.equal(users[0]?.userId, 'user 99');
});
