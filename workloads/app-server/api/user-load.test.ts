import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserLoads } from './user-load.ts';

test('the busiest users are told by each measure, for a minute', () => {
  let now = 0;
  const loads = new UserLoads({ now: () => now });
  loads.note('reader', { requests: 3, bytes: 10 });
  loads.note('writer', { requests: 1, bytes: 5_000, appends: 2 });
  now = 30_000;
  loads.note('reader', { requests: 2 });
  assert.deepEqual(loads.top(), {
    windowSeconds: 60,
    users: [
      { userId: 'reader', requests: 5, bytes: 10, appends: 0 },
      { userId: 'writer', requests: 1, bytes: 5_000, appends: 2 },
    ],
  });
  now = 65_000;
  assert.deepEqual(loads.top().users, [{ userId: 'reader', requests: 2, bytes: 0, appends: 0 }]);
  now = 200_000;
  assert.deepEqual(loads.top().users, []);
});

test('any number of users takes the same memory, and the busiest are still seen', () => {
  let now = 0;
  const loads = new UserLoads({ now: () => now });
  for (let i = 0; i < 50_000; i++) {
    now = i;
    loads.note(`user ${i}`, { requests: 1, bytes: 100 });
    if (i % 20 === 0) loads.note('busy', { requests: 1, appends: 1 });
  }
  const { users } = loads.top();
  assert.equal(users[0]?.userId, 'busy');
  assert.equal(users[0]?.appends, 2_500);
  assert.ok(users.length <= 60);
});
