import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageFold } from '../image/fold.ts';
import type { Image } from '../image/model.ts';
import { message } from '../image/testing.ts';
import type { Action } from '../log/actions.ts';
import { deliver, type Delivered, type Delivery } from './delivery.ts';
import { destroyEmail } from './email-updates.ts';
import { createUser, type Tx } from './users.ts';
import { asUser } from '../image/model.ts';

const CREDENTIALS = { salt: Uint8Array.of(1), hash: Uint8Array.of(2), n: 2, r: 1, p: 1 };

/** Transactions on an image, each an entry of its own, without a log. */
function transactions(): { image: Image; next: () => Tx; bodies: Uint8Array[] } {
  const image = imageFold.empty('user:u1');
  const bodies: Uint8Array[] = [];
  let seq = 0;
  const next = (): Tx => {
    const at = { seq: ++seq, timeMs: 0 };
    let index = 0;
    return {
      state: image,
      ...at,
      add(action: Action) {
        const place = { ...at, index: index++ };
        imageFold.apply(image, action, place);
        return place;
      },
      addBody: (bytes) => bodies.push(bytes) - 1,
    };
  };
  createUser(next(), { userId: 'u1', addresses: ['u1@x.test'], displayName: '' }, CREDENTIALS);
  return { image, next, bodies };
}

function delivery(deliveryKey: string, fields: Partial<Delivery> = {}): Delivery {
  return {
    deliveryKey,
    receivedAtMs: 1,
    envelope: { mailFrom: '', rcptTo: ['u1@x.test'] },
    channel: 'email',
    message: message(),
    sizeBytes: 28,
    body: { kind: 'bytes', bytes: Buffer.from('bytes') },
    ...fields,
  };
}

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
