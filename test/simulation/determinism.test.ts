import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatScript, parseScript } from './faults.ts';
import { simulate } from './simulation.ts';

for (const seed of [7, 1234]) {
  test(`seed ${seed} gives the same events at the same times each time`, async () => {
    const first = await simulate({ seed });
    const second = await simulate({ seed });
    assert.ok(first.steps >= 10_000);
    assert.equal(second.hash, first.hash);
  });
}

test('the script that a run prints replays it', async () => {
  const first = await simulate({ seed: 11 });
  const script = parseScript(formatScript(first.script));
  const again = await simulate({ seed: 11, script });
  // Healing comes before faults that were never begun; their absence is not seen by anything else.
  assert.equal(again.acknowledged, first.acknowledged);
  assert.equal(again.reads, first.reads);
  assert.deepEqual(again.errors, first.errors);
});

test('another seed is another run', async () => {
  const [one, other] = [await simulate({ seed: 1 }), await simulate({ seed: 2 })];
  assert.notEqual(one.hash, other.hash);
});
