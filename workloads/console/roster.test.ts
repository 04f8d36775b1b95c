import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, type RosterEntry, updateRoster } from './roster.ts';

const member = (node: string, state: Member['state'] = 'serving', url = 'http://old'): Member => ({
  cell: 'a',
  node,
  url,
  state,
  version: '1',
  share: 0.5,
});
const A = new Set(['a']);
const nodes = (roster: RosterEntry[]): string[] =>
  roster.map(({ node, lostAtMs }) => `${node} ${lostAtMs ?? 'there'}`);

test('a server that was serving and is gone stays on the roster for a quarter of an hour', () => {
  let roster = updateRoster([], [member('a-1'), member('a-0')], A, 1_000);
  assert.deepEqual(nodes(roster), ['a-0 there', 'a-1 there']);
  roster = updateRoster(roster, [member('a-0')], A, 3_000);
  assert.deepEqual(nodes(roster), ['a-0 there', 'a-1 3000']);
  assert.equal(roster[1]?.share, 0);
  roster = updateRoster(roster, [member('a-0')], A, 3_000 + 15 * 60_000);
  assert.deepEqual(nodes(roster), ['a-0 there', 'a-1 3000']);
  roster = updateRoster(roster, [member('a-0')], A, 3_001 + 15 * 60_000);
  assert.deepEqual(nodes(roster), ['a-0 there']);
});

test('one that comes back is no longer lost, wherever it is now', () => {
  let roster = updateRoster([], [member('a-0')], A, 0);
  roster = updateRoster(roster, [], A, 1);
  roster = updateRoster(roster, [member('a-0', 'joining', 'http://new')], A, 2);
  assert.deepEqual(nodes(roster), ['a-0 there']);
  assert.equal(roster[0]?.url, 'http://new');
});

test('one that left as planned, and those of a cell that is gone, are forgotten', () => {
  const roster = updateRoster([], [member('a-0', 'draining'), member('a-1')], A, 0);
  assert.deepEqual(nodes(updateRoster(roster, [], A, 1)), ['a-1 1']);
  assert.deepEqual(updateRoster(roster, [], new Set(['b']), 1), []);
});
