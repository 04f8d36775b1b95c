// How much memory an image takes, about: what the cache of images is bounded by. Measured on Node 24: an image of 100 short
// messages takes 45 KiB, one of 220,000 takes 98 MiB; these numbers say 51 KiB and 92 MiB.
import type { Image } from './model.ts';

const IMAGE_BYTES = 3_000;
const MAILBOX_BYTES = 400;
/** The record, its thread, its entries in the maps and in the sorted lists. */
const EMAIL_BYTES = 340;
const THREAD_KEY_BYTES = 56;
const ADDRESS_BYTES = 200;

export function imageSizeBytes(image: Image): number {
  if (image.kind === 'address') return ADDRESS_BYTES;
  return (
    IMAGE_BYTES +
    image.mailboxes.size * MAILBOX_BYTES +
    image.emails.size * EMAIL_BYTES +
    image.threadKeys.size * THREAD_KEY_BYTES +
    image.deliveries.sizeBytes
  );
}
