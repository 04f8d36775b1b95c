import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageFold } from '../image/fold.ts';
import type { Image } from '../image/model.ts';
import { imageSnapshots } from '../image/snapshot.ts';
import type { Action } from '../log/actions.ts';
import {
  addAddress,
  assignAddress,
  dropAddress,
  MAX_ADDRESSES,
  moveAddress,
  releaseAddress,
} from './addresses.ts';
import { deliver } from './delivery.ts';
import { delivery, transactions } from './testing.ts';
import type { Tx } from './users.ts';

/** The log of an address, an entry each transaction. */
function addressLog(): { image: () => Image; next: () => Tx } {
  let image: Image = imageFold.empty('address:a@x.test');
  let seq = 0;
  const next = (): Tx => {
    const at = { seq: ++seq, timeMs: 0, index: 0 };
    return {
      get state() {
        return image;
      },
      ...at,
      add(action: Action) {
        image = imageFold.apply(image, action, at);
        return at;
      },
      addBody: () => 0,
    };
  };
  return { image: () => image, next };
}

test('an address is given, moved and released by whoever knows whose it is, and each may be repeated', () => {
  const { image, next } = addressLog();
  assert.equal(assignAddress(next(), 'a', 'u1'), 'assigned');
  assert.equal(assignAddress(next(), 'a', 'u2'), 'taken');
  assert.equal(moveAddress(next(), 'u3', 'u2'), 'taken');
  assert.equal(moveAddress(next(), 'u1', 'u2'), 'moved');
  assert.equal(moveAddress(next(), 'u1', 'u2'), 'exists');
  releaseAddress(next(), 'u1');
  assert.deepEqual(image(), { kind: 'address', home: 'a', userId: 'u2', formerUserId: 'u1' });
  releaseAddress(next(), 'u2');
  releaseAddress(next(), 'u2');
  assert.deepEqual(image(), { kind: 'address', home: 'a', userId: undefined, formerUserId: 'u2' });
  const { state } = imageSnapshots.decode(imageSnapshots.encode(image(), undefined, []).bytes);
  assert.deepEqual(state, image());
  assert.equal(assignAddress(next(), 'a', 'u3'), 'assigned');
});

test("a user's list of addresses grows and shrinks, up to its limit", () => {
  const { image, next } = transactions();
  assert.equal(addAddress(next(), 'alias@x.test'), 'added');
  assert.equal(addAddress(next(), 'alias@x.test'), 'exists');
  assert.deepEqual(image().user.addresses, ['u1@x.test', 'alias@x.test']);
  assert.equal(dropAddress(next(), 'u1@x.test'), 'dropped');
  assert.equal(dropAddress(next(), 'u1@x.test'), 'gone');
  assert.deepEqual(image().user.addresses, ['alias@x.test']);
  for (let n = 1; n < MAX_ADDRESSES; n++) assert.equal(addAddress(next(), `${n}@x.test`), 'added');
  assert.equal(addAddress(next(), 'one-more@x.test'), 'tooMany');
});

test('mail for an address that is not the user’s is not taken, but what was taken before is acknowledged', () => {
  const { next } = transactions();
  const envelope = { mailFrom: '', rcptTo: ['Alias@x.test'] };
  const addressed = delivery('k1', { envelope, isAddressed: true });
  assert.equal(deliver(next(), addressed), 'notTheirs');
  addAddress(next(), 'alias@x.test');
  assert.equal(typeof deliver(next(), addressed), 'object');
  dropAddress(next(), 'alias@x.test');
  assert.equal(typeof deliver(next(), addressed), 'object');
  assert.equal(deliver(next(), { ...addressed, deliveryKey: 'k2' }), 'notTheirs');
});
