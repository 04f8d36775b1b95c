import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RingMember } from '../common/ring/ring.ts';
import { ringShares } from './summary.ts';

const member = (name: string, tokens: number, state: RingMember['state'] = 'serving'): RingMember => ({
  name,
  tokens,
  state,
  url: `http://${name}`,
  session: '1',
  version: '',
  pid: 1,
});

test('shares of a ring add up to one, follow the weights, and leave out who does not serve', () => {
  const shares = ringShares([member('a', 256), member('b', 512), member('c', 256, 'draining')]);
  const of = (name: string): number => shares.get(name) ?? 0;
  assert.ok(Math.abs(of('a') + of('b') - 1) < 1e-9);
  assert.ok(Math.abs(of('a') - 1 / 3) < 0.1, `a has ${of('a')}`);
  assert.equal(shares.has('c'), false);
});

test('one member has all of its ring, and nobody has an empty one', () => {
  assert.equal(ringShares([member('a', 1)]).get('a'), 1);
  assert.equal(ringShares([]).size, 0);
});
