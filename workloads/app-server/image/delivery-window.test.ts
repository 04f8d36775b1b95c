import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { DeliveryWindow } from './delivery-window.ts';

test('a delivery window remembers the last ones, in order', () => {
  const digest = (n: number): Buffer => createHash('sha256').update(`${n}`).digest().subarray(0, 16);
  const window = new DeliveryWindow(100);
  for (let n = 0; n < 250; n++) {
    assert.equal(window.find(digest(n)), undefined);
    window.add(digest(n), n + 1);
    assert.equal(window.find(digest(n)), n + 1);
  }
  assert.equal(window.length, 100);
  assert.equal(window.find(digest(149)), undefined);
  assert.equal(window.find(digest(150)), 151);
  assert.deepEqual(
    [...window.entries()].map(([, email]) => email),
    Array.from({ length: 100 }, (_, n) => n + 151),
  );
});

test('digests that overlap in memory are not taken for one another', () => {
  const window = new DeliveryWindow(4);
  window.add(Buffer.alloc(16, 0), 1);
  window.add(Buffer.concat([Buffer.alloc(8, 0), Buffer.alloc(8, 1)]), 2);
  window.add(Buffer.concat([Buffer.alloc(8, 1), Buffer.alloc(8, 2)]), 3);
  assert.equal(window.find(Buffer.alloc(16, 1)), undefined);
  assert.equal(window.find(Buffer.concat([Buffer.alloc(8, 1), Buffer.alloc(8, 2)])), 3);
});
