// What an image is said to take, beside what a thousand of them really take.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { deliver } from '../logic/delivery.ts';
import { delivery, transactions } from '../logic/testing.ts';
import type { Image } from './model.ts';
import { imageSize } from './size.ts';

const USERS = 1_000;
const MESSAGES = 30;
/** V8 gives memory in steps, and ids, shapes and strings are shared in a test that are not elsewhere. */
const FACTOR = 2;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of live objects, with those that typed arrays hold outside of the heap. */
function liveBytes(): number {
  for (let pass = 0; pass < 3; pass++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function imageOf(user: number): Image {
  const { image, next } = transactions();
  for (let n = 0; n < MESSAGES; n++) deliver(next(), delivery(`${user} ${n}`, { receivedAtMs: user + n }));
  return image();
}

test('a thousand images take about the memory that the cache is told', (t) => {
  imageOf(0);
  const before = liveBytes();
  const images = Array.from({ length: USERS }, (_, user) => imageOf(user));
  const real = (liveBytes() - before) / USERS;
  const said = images.reduce((sum, image) => sum + imageSize(image).bytes, 0) / USERS;
  t.diagnostic(`said ${Math.round(said)} bytes an image, really ${Math.round(real)}`);
  assert.ok(real < said * FACTOR && real > said / FACTOR, `said ${said} bytes an image, really ${real}`);
});
