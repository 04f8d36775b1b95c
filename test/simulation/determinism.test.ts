import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlan } from './plan.ts';
import { scriptOf } from './report.ts';
import { shrink } from './shrink.ts';
import { runPlan, simulate } from './simulation.ts';

for (const seed of [7, 1234, 8]) {
  test(`seed ${seed} gives the same events at the same times each time`, async () => {
    const first = await simulate({ seed });
    const second = await simulate({ seed });
    assert.ok(first.steps >= 10_000);
    assert.equal(second.hash, first.hash);
  });
}

test('the script that a run prints replays it, event by event', async () => {
  const first = await simulate({ seed: 11 });
  const again = await runPlan(parsePlan(scriptOf(first)));
  assert.equal(again.hash, first.hash);
});

test('another seed is another run', async () => {
  const [one, other] = [await simulate({ seed: 1 }), await simulate({ seed: 2 })];
  assert.notEqual(one.hash, other.hash);
});

test('a run that fails is made smaller, and its script fails in the same way', async () => {
  const failed = await simulate({
    seed: 1,
    mutation: 'no lease',
    kinds: ['cut coordination', 'lame', 'kill'],
  });
  assert.ok(failed.violation);
  const smaller = await shrink(failed, { maxRuns: 60 });
  assert.ok(smaller.plan.faults.length <= failed.plan.faults.length);
  assert.ok(smaller.plan.faults.length <= 3, scriptOf(smaller));
  const again = await runPlan(parsePlan(scriptOf(smaller)));
  assert.equal(again.violation?.message, smaller.violation?.message);
  assert.equal(again.hash, smaller.hash);
});
