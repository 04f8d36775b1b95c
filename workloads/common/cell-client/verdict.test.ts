import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryBudget } from './retry-budget.ts';
import { judgeRefusal, wasNotSent } from './verdict.ts';

const problem = (type: string, more: object = {}): string =>
  JSON.stringify({ type: `urn:cellpost:error:${type}`, ...more });

test('a redirect names its owner and how new its ring is', () => {
  const owner = { name: 'a-1', url: 'http://10.0.0.1:8081' };
  assert.deepEqual(
    judgeRefusal(421, undefined, problem('misdirected', { owner, ringVersion: 7, retryAfterMs: 5 })),
    {
      kind: 'elsewhere',
      waitMs: 5,
      owner: { ...owner, ringVersion: 7 },
    },
  );
});

test('a redirect without an owner, or with one that is no URL, is a moment to wait', () => {
  assert.deepEqual(judgeRefusal(421, undefined, problem('misdirected')), { kind: 'elsewhere', waitMs: 100 });
  const bad = problem('misdirected', { owner: { name: 'x', url: 'not a url' } });
  assert.deepEqual(judgeRefusal(421, undefined, bad), { kind: 'elsewhere', waitMs: 100 });
  assert.deepEqual(judgeRefusal(421, undefined, '<html>'), { kind: 'elsewhere', waitMs: 100 });
});

test('an unavailable server has done nothing; any other 503 may have', () => {
  assert.deepEqual(judgeRefusal(503, '3', problem('unavailable')), { kind: 'later', waitMs: 1000 });
  assert.deepEqual(judgeRefusal(503, 'soon', problem('unavailable')), { kind: 'later', waitMs: 100 });
  assert.deepEqual(judgeRefusal(503, '3', problem('outcome-unknown')), { kind: 'unknown' });
  assert.deepEqual(judgeRefusal(503, undefined, 'Service Unavailable'), { kind: 'unknown' });
});

test('only failures to connect are sure not to have sent anything', () => {
  const failed = (code: string): Error => Object.assign(new Error(code), { code });
  assert.equal(wasNotSent(failed('ECONNREFUSED')), true);
  assert.equal(wasNotSent(new AggregateError([failed('ECONNREFUSED'), failed('EHOSTUNREACH')])), true);
  assert.equal(wasNotSent(new AggregateError([failed('ECONNREFUSED'), failed('ECONNRESET')])), false);
  assert.equal(wasNotSent(failed('ECONNRESET')), false);
  assert.equal(wasNotSent(failed('UND_ERR_SOCKET')), false);
  assert.equal(wasNotSent('ECONNREFUSED'), false);
});

test('retries come to an end when nothing else is sent, and come back with time and with requests', () => {
  let now = 0;
  const budget = new RetryBudget(() => now);
  let taken = 0;
  while (budget.take()) taken++;
  assert.equal(taken, 250);
  now += 1000;
  for (let i = 0; i < 20; i++) assert.equal(budget.take(), true);
  assert.equal(budget.take(), false);
  for (let i = 0; i < 5; i++) budget.earn();
  assert.equal(budget.take(), true);
});
