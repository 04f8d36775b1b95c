// Storing snapshots: beside the requests, from a state that nobody changes.
import { createHash } from 'node:crypto';
import { withDeadline } from '../../common/clock.ts';
import { StoreUnavailable, type StoredSnapshot } from './log-store.ts';
import { lookAt } from './pages.ts';
import type { Image, LogParts } from './user-log-open.ts';
import { BadSnapshot } from './user-log-types.ts';

/** A store that takes longer is in trouble, and has better things to do. */
const DEADLINE_MS = 30_000;

/** 128 bits of a SHA-256 before the bytes of a snapshot. */
const SEAL_BYTES = 16;

/**
 * Stores a snapshot of the image as it is now: its new pages first, so that a snapshot never names what is not there; then
 * itself; and only then goes what the one before last needed (readers of the last may still look for its pages).
 * @throws StoreUnavailable, PageLost
 */
export async function saveImage<S, A>(
  key: string,
  parts: Pick<LogParts<S, A>, 'store' | 'clock' | 'fold'>,
  image: Image<S>,
): Promise<void> {
  const { store, clock, fold } = parts;
  const { snapshots } = fold;
  if (!snapshots) return;
  const { state, seq, saved, unsavedBytes } = image;
  const within = <T>(answer: Promise<T>): Promise<T> =>
    withDeadline(clock, answer, DEADLINE_MS, () => new StoreUnavailable(`no snapshot of ${key} in time`));
  const look = lookAt(store, clock, key);
  const garbage = saved?.garbage ?? [];
  // What is there instead of a good one is no use to anybody, nor are its pages.
  if (!saved) await within(store.dropSnapshot(key));
  const encoded = await look(() => snapshots.encode(state, saved?.state, garbage));
  if (encoded.pages.length > 0) await within(store.putPages(key, encoded.pages));
  await within(
    store.putSnapshot(key, sealSnapshot(key, { seq, format: snapshots.format, bytes: encoded.bytes })),
  );
  encoded.markStored();
  image.saved = { state, seq, garbage: encoded.unused };
  image.unsavedBytes -= unsavedBytes;
  const rewritten = new Set(encoded.pages.map(({ id }) => id));
  const gone = garbage.filter((id) => !rewritten.has(id));
  if (gone.length > 0) await within(store.deletePages(key, gone));
}

/** What is stored: the hash of whose snapshot it is, of which entry, in which format, and of its bytes goes before them. */
export function sealSnapshot(key: string, snapshot: StoredSnapshot): StoredSnapshot {
  return { ...snapshot, bytes: Buffer.concat([hash(key, snapshot), snapshot.bytes]) };
}

/** @returns the bytes of a snapshot as they were @throws BadSnapshot when it is damaged, or of another key or entry */
export function unsealSnapshot(key: string, stored: StoredSnapshot): Uint8Array {
  const bytes = stored.bytes.subarray(SEAL_BYTES);
  if (!hash(key, { ...stored, bytes }).equals(stored.bytes.subarray(0, SEAL_BYTES)))
    throw new BadSnapshot(`the snapshot of ${key} is damaged`);
  return bytes;
}

function hash(key: string, { seq, format, bytes }: StoredSnapshot): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([key, seq, format]))
    .update(bytes)
    .digest()
    .subarray(0, SEAL_BYTES);
}
