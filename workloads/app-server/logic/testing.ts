// Runs transactions for the tests of this folder.
import { imageFold } from '../image/fold.ts';
import type { Image, OpenUser } from '../image/model.ts';
import { message } from '../image/testing.ts';
import type { Action } from '../log/actions.ts';
import type { Delivery } from './delivery.ts';
import { createUser, userOf, type Tx } from './users.ts';

const CREDENTIALS = { salt: Uint8Array.of(1), hash: Uint8Array.of(2), n: 2, r: 1, p: 1 };

/** Transactions on an image, each an entry of its own, without a log. */
export function transactions(): { image: () => OpenUser; next: () => Tx; bodies: Uint8Array[] } {
  let image: Image = imageFold.empty('user:u1');
  const bodies: Uint8Array[] = [];
  let seq = 0;
  const next = (): Tx => {
    const at = { seq: ++seq, timeMs: 0 };
    let index = 0;
    return {
      get state() {
        return image;
      },
      ...at,
      add(action: Action) {
        const place = { ...at, index: index++ };
        image = imageFold.apply(image, action, place);
        return place;
      },
      addBody: (bytes) => bodies.push(bytes) - 1,
    };
  };
  createUser(next(), 'a', { userId: 'u1', addresses: ['u1@x.test'], displayName: '' }, CREDENTIALS);
  return { image: () => userOf(next()), next, bodies };
}

/** A delivery of a message of one line. */
export function delivery(deliveryKey: string, fields: Partial<Delivery> = {}): Delivery {
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
