import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BucketMap } from '../common/cell-client/buckets.ts';
import type { CellRecord } from '../common/cell-client/directory-messages.ts';
import { chooseCells } from './assigner.ts';
import { NoEnabledCell } from './errors.ts';

const cell = (name: string, state: CellRecord['state'] = 'Enabled'): CellRecord => ({
  name,
  state,
  dataCenter: 'here',
  coordination: `local:/${name}`,
});

test('buckets go where the fewest are, and those that have a cell stay', () => {
  const map = BucketMap.empty.with([
    [1, 'a'],
    [2, 'a'],
    [3, 'b'],
  ]);
  const chosen = chooseCells(map, [cell('a'), cell('b')], [{ bucket: 1 }, { bucket: 4 }]);
  assert.deepEqual([...chosen], [[4, 'b']]);
});

test('a bucket goes to the cell that it shall be near, unless that takes no new users', () => {
  const map = BucketMap.empty.with([[1, 'a']]);
  const near = [{ bucket: 2, near: 'a' }];
  assert.deepEqual([...chooseCells(map, [cell('a'), cell('b')], near)], [[2, 'a']]);
  assert.deepEqual([...chooseCells(map, [cell('a', 'Draining'), cell('b')], near)], [[2, 'b']]);
});

test('only enabled cells get buckets', () => {
  const cells = [cell('a', 'Draining'), cell('b', 'Disabled'), cell('c', 'Hibernated'), cell('d')];
  const all = [{ bucket: 1 }, { bucket: 2 }, { bucket: 3 }];
  assert.deepEqual(new Set(chooseCells(BucketMap.empty, cells, all).values()), new Set(['d']));
  assert.throws(() => chooseCells(BucketMap.empty, cells.slice(0, 3), [{ bucket: 1 }]), NoEnabledCell);
  assert.equal(chooseCells(BucketMap.empty.with([[1, 'a']]), [], [{ bucket: 1 }]).size, 0);
});

test('pairs of an address and a user fall either way among equal cells', () => {
  let map = BucketMap.empty;
  const users = new Map<string | undefined, number>();
  for (let i = 0; i < 200; i++) {
    for (const bucket of [2 * i, 2 * i + 1])
      map = map.with(chooseCells(map, [cell('a'), cell('b')], [{ bucket }]));
    const home = map.cellOf(2 * i + 1);
    users.set(home, (users.get(home) ?? 0) + 1);
  }
  assert.deepEqual(map.counts(), new Map([...map.counts()].map(([name]) => [name, 200])));
  assert.ok((users.get('a') ?? 0) > 60 && (users.get('b') ?? 0) > 60, JSON.stringify([...users]));
});
