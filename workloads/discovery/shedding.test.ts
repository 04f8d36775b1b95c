import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Shedding } from './shedding.ts';

test('requests beyond the limit are refused until one ends, and ending twice frees one place', (t) => {
  const shedding = new Shedding();
  t.after(() => shedding.close());
  const inside: (() => void)[] = [];
  for (let leave = shedding.enter(); leave; leave = shedding.enter()) inside.push(leave);
  assert.equal(inside.length, 256);
  assert.equal(shedding.refused, 1);
  inside[0]?.();
  inside[0]?.();
  assert.ok(shedding.enter());
  assert.equal(shedding.enter(), undefined);
});

test('a process that is late twice in a row refuses, one pause is no reason', (t) => {
  const shedding = new Shedding();
  t.after(() => shedding.close());
  shedding.look(5_000);
  assert.ok(shedding.enter());
  shedding.look(300);
  assert.equal(shedding.enter(), undefined);
  shedding.look(1);
  assert.ok(shedding.enter());
});
