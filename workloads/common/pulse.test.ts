import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockAhead } from '../../test/support/clock-ahead.ts';
import { allWell, Pulse } from './pulse.ts';

test('work is well while it goes on or rests, and not when it stands still; it is well again when it goes on', () => {
  const clock = new ClockAhead();
  const pulse = new Pulse('the work', clock, 10_000);
  assert.equal(pulse.health(), true);
  pulse.beat();
  clock.aheadMs += 9_000;
  assert.equal(pulse.health(), true);
  clock.aheadMs += 3_000;
  assert.equal(pulse.health(), 'the work has not gone on for 12 s');
  pulse.beat();
  assert.equal(pulse.health(), true);
  clock.aheadMs += 60_000;
  pulse.rest();
  assert.equal(pulse.health(), true);
});

test('of several parts the first that is not well is told', () => {
  const well = { health: (): true => true };
  const ill = { health: (): string => 'ill' };
  assert.equal(allWell([well, well]), true);
  assert.equal(allWell([well, ill, { health: () => 'worse' }]), 'ill');
});
