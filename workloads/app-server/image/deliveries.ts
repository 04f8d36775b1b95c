// The deliveries that a mailbox remembers: digest of the delivery key -> email. After so many the oldest go.
import { hash } from 'node:crypto';
import type { Ordinal } from './ids.ts';
import type { UserImage } from './model.ts';
import { together } from './pages/page.ts';
import { Tree } from './pages/tree.ts';
import { DELIVERIES, DIGEST_BYTES, OLD_DELIVERIES, readOrdinal, writeOrdinal } from './record-keys.ts';

/** So many at least are remembered, and up to twice as many: days of mail for a busy mailbox. */
const MIN_REMEMBERED = 4096;

function digest(deliveryKey: string): Uint8Array {
  return hash('sha256', deliveryKey, 'buffer').subarray(0, DIGEST_BYTES);
}

/** @returns the email that a delivery made, if it is remembered @throws PageMissing */
export function findDelivery(image: UserImage, deliveryKey: string): Ordinal | undefined {
  const key = digest(deliveryKey);
  const [recent, older] = together([() => image.deliveries.get(key), () => image.olderDeliveries.get(key)]);
  const value = recent ?? older;
  return value && readOrdinal(value, 0);
}

/** @param isMuted the delivery is not announced @throws PageMissing */
export function rememberDelivery(
  image: UserImage,
  deliveryKey: string,
  email: Ordinal,
  isMuted: boolean,
): UserImage {
  const record = new Uint8Array(DELIVERIES.keyBytes + DELIVERIES.valueBytes);
  record.set(digest(deliveryKey));
  writeOrdinal(record, DIGEST_BYTES, email);
  const lastDeliveryAt = isMuted ? image.lastDeliveryAt : email;
  const remembered = { ...image, deliveries: image.deliveries.put(record), lastDeliveryAt };
  const { deliveries } = remembered;
  if (!deliveries.isFull) return remembered;
  if (deliveries.main.size < MIN_REMEMBERED) return { ...remembered, deliveries: deliveries.merge() };
  return {
    ...remembered,
    deliveries: deliveries.merge(new Tree(OLD_DELIVERIES)),
    olderDeliveries: deliveries.main,
  };
}
