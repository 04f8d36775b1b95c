import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageFold } from '../image/fold.ts';
import { message } from '../image/testing.ts';
import { deliver, type Delivered } from './delivery.ts';
import { destroyEmail } from './email-updates.ts';
import { delivery, transactions } from './testing.ts';
import type { Tx } from './users.ts';

test('of the last 4,096 deliveries none is taken twice, also when its email is gone', () => {
  const { next, bodies } = transactions();
  const first = deliver(next(), delivery('first')) as Delivered;
  destroyEmail(next(), first.emailId);
  const again = deliver(next(), delivery('first')) as Delivered;
  assert.deepEqual([again.emailId, again.duplicate], [first.emailId, true]);
  for (let n = 1; n < 4096; n++) deliver(next(), delivery(`delivery ${n}`));
  assert.equal((deliver(next(), delivery('first')) as Delivered).duplicate, true);
  assert.equal(bodies.length, 4096);
  // Those before are forgotten some day.
  for (let n = 0; n < 3 * 4096; n++) deliver(next(), delivery(`later delivery ${n}`));
  assert.equal((deliver(next(), delivery('first')) as Delivered).duplicate, false);
});

test('nothing is delivered to nobody', () => {
  const image = imageFold.empty('user:u2');
  const tx: Tx = {
    state: image,
    seq: 1,
    timeMs: 0,
    add: () => assert.fail('added'),
    addBody: () => assert.fail('added'),
  };
  assert.equal(deliver(tx, delivery('k')), 'noUser');
});

test('the keys of threads that are gone go, some day', () => {
  const { image, next } = transactions();
  for (let n = 0; n < 20_000; n++) {
    const headers = message({ messageId: [`${n}@x`], subject: 'S' });
    const { emailId } = deliver(next(), delivery(`k${n}`, { message: headers })) as Delivered;
    destroyEmail(next(), emailId);
  }
  assert.ok(image().threadKeys.main.size <= 4_096, `${image().threadKeys.main.size} keys`);
});
