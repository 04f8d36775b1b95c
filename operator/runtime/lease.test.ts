import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockAhead } from '../../test/support/clock-ahead.ts';
import { until } from '../../test/support/wait.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { LeaderLease, type LeaseOptions } from './lease.ts';

const WAIT = { timeoutMs: 10_000, intervalMs: 5 };

test('a term that is over and whose work does not end makes the operator ill, as it would never lead again', async () => {
  const clock = new ClockAhead();
  let isAway = false;
  const unlessAway = <T>(answer: T): Promise<T> =>
    isAway ? Promise.reject(new Error('the API is away')) : Promise.resolve(answer);
  const api: LeaseOptions['api'] = {
    get: () => unlessAway(undefined),
    create: (object) => unlessAway(object),
    update: (object) => unlessAway(object),
    until: () => api,
  };
  const lease = new LeaderLease({
    api,
    namespace: 'x',
    name: 'x',
    identity: 'one',
    times: { durationMs: 300, renewDeadlineMs: 200, retryMs: 20 },
    logger: createLogger('test', 'silent'),
    clock,
  });
  const stop = new AbortController();
  let end: () => void = () => undefined;
  let terms = 0;
  const campaign = lease.campaign(async (term) => {
    terms++;
    await new Promise<void>((resolve) => (end = resolve));
    assert.ok(term.aborted);
  }, stop.signal);
  await until(() => terms === 1, WAIT);
  clock.aheadMs += 90_000;
  await until(() => lease.health() === true, WAIT);
  isAway = true;
  const illness = await until(() => {
    clock.aheadMs += 90_000;
    const verdict = lease.health();
    return verdict !== true && verdict.startsWith('ending a term') && verdict;
  }, WAIT);
  assert.match(illness, /^ending a term that is over has not gone on for \d+ s$/);
  end();
  // The API is away: it waits for the lease, and is well.
  await until(() => lease.health() === true, WAIT);
  isAway = false;
  await until(() => terms === 2, WAIT);
  stop.abort();
  end();
  await campaign;
});
