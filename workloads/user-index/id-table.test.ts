import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdTable } from './id-table.ts';

test('ids keep their numbers while the table grows, and those that were never added have none', () => {
  const table = new IdTable();
  const idOf = (number: number): string => `user-${number}-${'x'.repeat(number % 7)}`;
  for (let number = 0; number < 40_000; number++) {
    assert.equal(table.find(idOf(number)), -1);
    assert.equal(table.add(idOf(number)), number);
    assert.equal(table.add(idOf(number)), number);
    const before = (number * 7_919) % (number + 1);
    assert.equal(table.find(idOf(before)), before);
  }
  assert.equal(table.size, 40_000);
  for (let number = 0; number < 40_000; number++) {
    assert.equal(table.find(idOf(number)), number);
    assert.equal(table.id(number), idOf(number));
  }
});
