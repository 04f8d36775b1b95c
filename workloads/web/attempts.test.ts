import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Attempts } from './attempts.ts';

describe('attempts', () => {
  it('lets a burst through, then one each refill', () => {
    let now = 1_000_000;
    const attempts = new Attempts({ burst: 3, refillMs: 1_000 }, () => now);
    for (let count = 0; count < 3; count++) {
      assert.equal(attempts.blockedForMs('a'), 0);
      attempts.take('a');
    }
    assert.equal(attempts.blockedForMs('a'), 1_000);
    now += 999;
    assert.equal(attempts.blockedForMs('a'), 1);
    now += 1;
    assert.equal(attempts.blockedForMs('a'), 0);
    attempts.take('a');
    assert.equal(attempts.blockedForMs('a'), 1_000);
  });

  it('counts each on its own, and forgets with time', () => {
    let now = 0;
    const attempts = new Attempts({ burst: 2, refillMs: 1_000 }, () => now);
    attempts.take('a');
    attempts.take('a');
    assert.ok(attempts.blockedForMs('a') > 0);
    assert.equal(attempts.blockedForMs('b'), 0);
    now += 10_000;
    attempts.take('a');
    assert.equal(attempts.blockedForMs('a'), 0);
  });

  it('takes attempts back that were no failures', () => {
    const attempts = new Attempts({ burst: 2, refillMs: 1_000 }, () => 5);
    for (let count = 0; count < 100; count++) {
      attempts.take('a');
      attempts.giveBack('a');
    }
    assert.equal(attempts.blockedForMs('a'), 0);
  });
});
