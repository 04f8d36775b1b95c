import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashKey } from '../hash.ts';
import { DEFAULT_TOKENS, Ring, type RingMember, tokensOf } from './ring.ts';

function member(name: string, state: RingMember['state'] = 'serving', tokens = DEFAULT_TOKENS): RingMember {
  return { name, url: `http://${name}`, state, tokens, session: '1', version: 'test', pid: 1 };
}

const KEYS = Array.from({ length: 20_000 }, (_, i) => hashKey(`user:u${i}`).position);
const ownersOf = (members: RingMember[]): (string | undefined)[] => {
  const ring = new Ring(members);
  return KEYS.map((position) => ring.owner(position)?.name);
};

test('tokens of a name are the same for ever', () => {
  assert.deepEqual(tokensOf('a-0', 4), GOLDEN_TOKENS);
  assert.deepEqual(tokensOf('a-0', 64).slice(0, 4), GOLDEN_TOKENS);
});

const GOLDEN_TOKENS = [1180552887, 727680336, 565290506, 2346231543];

test('owners of positions among three members are the same for ever', () => {
  const ring = new Ring(['a-0', 'a-1', 'a-2'].map((name) => member(name)));
  const owners = GOLDEN_OWNERS.map(([position]) => [position, ring.owner(position)?.name]);
  assert.deepEqual(owners, GOLDEN_OWNERS);
});

const GOLDEN_OWNERS: [position: number, owner: string][] = [
  [0, 'a-2'],
  [1, 'a-2'],
  [0x1fffffff, 'a-0'],
  [0x3fffffff, 'a-2'],
  [0x5fffffff, 'a-1'],
  [0x7fffffff, 'a-2'],
  [0x9fffffff, 'a-1'],
  [0xbfffffff, 'a-1'],
  [0xdfffffff, 'a-1'],
  [0xde780e90, 'a-1'],
  [0xffffffff, 'a-2'],
];

test('a position on a token belongs to it, the one after it to the next, and the end goes on at the start', () => {
  const ring = new Ring([member('a', 'serving', 1), member('b', 'serving', 1)]);
  const [a = 0] = tokensOf('a', 1);
  const [b = 0] = tokensOf('b', 1);
  const [low, high] = a < b ? ['a', 'b'] : ['b', 'a'];
  const [lowest, highest] = [Math.min(a, b), Math.max(a, b)];
  assert.equal(ring.owner(lowest)?.name, low);
  assert.equal(ring.owner(lowest + 1)?.name, high);
  assert.equal(ring.owner(highest)?.name, high);
  assert.equal(ring.owner(highest + 1)?.name, low);
  assert.equal(ring.owner(0)?.name, low);
});

test('nobody owns anything when nobody serves', () => {
  assert.equal(new Ring([]).owner(1), undefined);
  assert.equal(new Ring([member('a', 'joining'), member('b', 'draining')]).owner(1), undefined);
});

test('the order in which members are listed does not matter', () => {
  const members = ['a', 'b', 'c', 'd'].map((name) => member(name));
  assert.deepEqual(ownersOf(members), ownersOf(members.toReversed()));
});

test('when a member comes or goes, keys move only to it or from it', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]-[0-9]{1,2}$/), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(names, ([changed = '', ...others]) => {
      const without = ownersOf(others.map((name) => member(name)));
      const joined = ownersOf([changed, ...others].map((name) => member(name)));
      return joined.every((owner, i) => owner === without[i] || owner === changed);
    }),
    { numRuns: 20 },
  );
});

test('the busiest of ten members has no more than half as much again as its share, and nobody goes without', () => {
  const names = Array.from({ length: 10 }, (_, i) => `cell-app-${i}`);
  const counts = new Map<string | undefined, number>();
  for (const owner of ownersOf(names.map((name) => member(name))))
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  assert.equal(counts.size, 10);
  assert.ok(Math.max(...counts.values()) < (KEYS.length / 10) * 1.5, JSON.stringify([...counts]));
  assert.ok(Math.min(...counts.values()) > (KEYS.length / 10) * 0.5, JSON.stringify([...counts]));
});

test('twice the tokens are about twice the keys', () => {
  const owners = ownersOf([member('a', 'serving', 256), member('b', 'serving', 128)]);
  const share = owners.filter((owner) => owner === 'a').length / owners.length;
  assert.ok(share > 0.55 && share < 0.78, String(share));
});
