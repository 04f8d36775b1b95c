import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockAhead } from '../../test/support/clock-ahead.ts';
import { until } from '../../test/support/wait.ts';
import { createLogger } from '../common/log.ts';
import { FriendSync } from './friend-sync.ts';

const WAIT = { timeoutMs: 10_000, intervalMs: 5 };

test('readings that fail are tried again, and only one that does not end makes it ill', async () => {
  const clock = new ClockAhead();
  let fail: (error: Error) => void = () => undefined;
  let asked = 0;
  const sync = new FriendSync({
    cells: {
      request: () => {
        asked++;
        return new Promise((_resolve, reject) => (fail = reject));
      },
    },
    logger: createLogger('test', 'silent'),
    onWords: () => undefined,
    clock,
  });
  assert.equal(sync.health(), true);
  sync.note('alice');
  await until(() => asked === 1, WAIT);
  assert.equal(sync.health(), true);
  clock.aheadMs += 90_000;
  assert.match(String(sync.health()), /^reading the logs of users has not gone on for 9\d s$/);
  fail(new Error('away'));
  await until(() => asked === 2, WAIT);
  assert.equal(sync.health(), true);
  const closed = sync.close();
  fail(new Error('away'));
  await closed;
  assert.equal(sync.health(), true);
});
