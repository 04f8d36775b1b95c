// What is said of sessions and followers of a coordination: that it is away makes nobody ill.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockAhead } from '../../../test/support/clock-ahead.ts';
import { until } from '../../../test/support/wait.ts';
import { createLogger } from '../log.ts';
import { CoordinationError, type CoordinationSession } from './coordination.ts';
import { follow } from './follow.ts';
import { keepSession } from './keep-session.ts';

const WAIT = { timeoutMs: 20_000, intervalMs: 5 };
const LONG_MS = 90_000;

const session: CoordinationSession = {
  state: 'connected',
  sessionId: '1',
  timeoutMs: 2_000,
  onState: () => () => undefined,
  create: () => Promise.resolve(),
  get: () => Promise.resolve(undefined),
  children: () => Promise.resolve(undefined),
  set: () => Promise.reject(new Error('not here')),
  delete: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

test('a follower whose readings fail is well; one whose reading does not end is not', async (t) => {
  const clock = new ClockAhead();
  let readings = 0;
  let fail: (error: Error) => void = () => undefined;
  const follower = follow(session, {
    read: () =>
      new Promise((_resolve, reject) => {
        readings++;
        fail = reject;
      }),
    publish: () => undefined,
    clock,
  });
  t.after(() => follower.close());
  clock.aheadMs += LONG_MS;
  assert.match(String(follower.health()), /^reading what the coordination has has not gone on for 9\d s$/);
  fail(new CoordinationError('timeout', 'no answer'));
  await until(() => readings === 2, WAIT);
  assert.equal(follower.health(), true);
});

test('who tries to open a session is well; who neither has one nor tries is not', async (t) => {
  const clock = new ClockAhead();
  const kept = keepSession('local:/nowhere/at/all.sock?chroot=/x', {
    timeoutMs: 2_000,
    logger: createLogger('test', 'silent'),
    onSession: () => undefined,
    clock,
  });
  t.after(() => kept.close());
  assert.equal(kept.health(), true);
  clock.aheadMs += LONG_MS;
  assert.match(String(kept.health()), /^opening a session with the coordination has not gone on/);
  await until(() => kept.health() === true, WAIT);
});
