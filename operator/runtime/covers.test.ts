import assert from 'node:assert/strict';
import { test } from 'node:test';
import { covers } from './covers.ts';
import { parseQuantity } from './quantity.ts';

test('a live object may have more than what was applied', () => {
  assert.ok(covers({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }));
  assert.ok(!covers({ a: 1 }, { a: 2 }));
  assert.ok(!covers({}, { a: 0 }));
});

test('named entries of lists go by their names, other lists must be equal', () => {
  const live = { env: [{ name: 'X', value: '1' }, { name: 'Y' }], args: ['a', 'b'] };
  assert.ok(covers(live, { env: [{ name: 'Y' }] }));
  assert.ok(!covers(live, { env: [{ name: 'Z' }] }));
  assert.ok(covers(live, { args: ['a', 'b'] }));
  assert.ok(!covers(live, { args: ['b', 'a'] }));
  assert.ok(!covers(live, { args: ['a'] }));
});

test('empty objects and lists may be missing', () => {
  assert.ok(covers({}, { emptyDir: {}, ingress: [], unset: undefined }));
  assert.ok(!covers({}, { emptyDir: { sizeLimit: '1Gi' } }));
});

test('quantities are equal by value', () => {
  assert.ok(covers({ limits: { memory: '1Gi', cpu: 1 } }, { limits: { memory: '1024Mi', cpu: '1000m' } }));
  assert.ok(covers({ sizeLimit: '1Gi' }, { sizeLimit: '1024Mi' }));
  assert.ok(!covers({ limits: { memory: '1Gi' } }, { limits: { memory: '1G' } }));
  assert.ok(!covers({ image: '1' }, { image: '1000m' }), 'elsewhere strings are strings');
  assert.deepEqual(['1', '100m', '1.5', '512Mi', '1e3', '2k', ''].map(parseQuantity), [
    1,
    0.1,
    1.5,
    536_870_912,
    1000,
    2000,
    undefined,
  ]);
});
