import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageFold } from '../image/fold.ts';
import { asUser } from '../image/model.ts';
import { message } from '../image/testing.ts';
import { deliver, type Delivered } from './delivery.ts';
import { destroyEmail } from './email-updates.ts';
import { delivery, transactions } from './testing.ts';
import type { Tx } from './users.ts';

test('of the last 4,096 deliveries none is taken twice, also when its email is gone', () => {
  const { image, next, bodies } = transactions();
  const first = deliver(next(), delivery('first')) as Delivered;
  const user = asUser(image);
  assert.ok(user);
  destroyEmail(next(), user, first.emailId);
  const again = deliver(next(), delivery('first')) as Delivered;
  assert.deepEqual([again.emailId, again.duplicate], [first.emailId, true]);
  for (let n = 1; n < 4096; n++) deliver(next(), delivery(`delivery ${n}`));
  assert.equal((deliver(next(), delivery('first')) as Delivered).duplicate, true);
  assert.equal(bodies.length, 4096);
  deliver(next(), delivery('one more'));
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

test('the keys of threads that are gone are thrown away in the end', () => {
  const { image, next } = transactions();
  const user = asUser(image);
  assert.ok(user);
  for (let n = 0; n < 1000; n++) {
    const headers = message({ messageId: [`${n}@x`], subject: 'S' });
    const { emailId } = deliver(next(), delivery(`k${n}`, { message: headers })) as Delivered;
    destroyEmail(next(), user, emailId);
  }
  assert.ok(user.threadKeys.size <= 256, `${user.threadKeys.size} keys`);
});
