// What snapshots are made of: documents that name blobs, blobs of a few megabytes, numbers of 4 bytes in them (little end
// first, as every machine that runs Node has them) and ids, a line each.
import { z } from 'zod';
import type { BlobId, BlobStore } from '../common/blobs/blob-store.ts';
import { inParallel } from '../common/parallel.ts';
import type { IdTable } from './id-table.ts';
import { Turns } from './turns.ts';

export const CHUNK_BYTES = 8 * 1024 * 1024;
/** Hashed and written at one go. */
const WRITE_BYTES = 32 * 1024;
/** Blobs on their way at once. */
const PARALLEL = 4;
const LF = 0x0a;

export const blobId = z.string().regex(/^[0-9a-f]{64}$/);

/** A snapshot that can't be used. */
export class BadSnapshot extends Error {
  override name = 'BadSnapshot';
}

/** @throws BadSnapshot */
export function parse<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.infer<T> {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw new BadSnapshot('A snapshot of the user index is not understood.', { cause: error });
  }
}

/** Stores parts one after another while questions are answered; a part is never cut in two. @returns the blobs that have them */
export async function putParts(
  store: BlobStore,
  parts: Iterable<Uint8Array>,
): Promise<{ blobs: BlobId[]; sizeBytes: number }> {
  const blobs: BlobId[] = [];
  const turns = new Turns();
  let sizeBytes = 0;
  let writer = store.writer();
  let written = 0;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  const write = async (): Promise<void> => {
    await writer.write(Buffer.concat(gathered));
    written += gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
  };
  const commit = async (): Promise<void> => {
    const blob = await writer.commit();
    blobs.push(blob.id);
    sizeBytes += blob.sizeBytes;
  };
  try {
    for (const part of parts) {
      gathered.push(part);
      gatheredBytes += part.length;
      if (turns.isOver()) await turns.next();
      if (gatheredBytes < WRITE_BYTES) continue;
      await write();
      if (written < CHUNK_BYTES) continue;
      await commit();
      writer = store.writer();
      written = 0;
    }
    if (gatheredBytes > 0) await write();
    if (written > 0) await commit();
  } finally {
    await writer.abort();
  }
  return { blobs, sizeBytes };
}

/** Ids from a number on, a line each. */
export function* idLines(ids: IdTable, from: number, to: number): Generator<Uint8Array, void, undefined> {
  for (let number = from; number < to; number++) yield Buffer.from(`${ids.id(number)}\n`, 'latin1');
}

/** Adds ids that lie a line each in blobs. @returns their numbers in the table, in this order */
export async function readIds(
  store: BlobStore,
  blobs: readonly BlobId[],
  ids: IdTable,
  count: number,
): Promise<Uint32Array> {
  const numbers = new Uint32Array(count);
  let read = 0;
  const rest = await eachLine(store, blobs, (bytes, start, end) => {
    if (read === count) throw new BadSnapshot('There are more ids than there should be.');
    numbers[read++] = ids.addBytes(bytes, start, end);
  });
  if (read !== count || rest.length > 0) throw new BadSnapshot('Ids are missing.');
  return numbers;
}

/** Takes the lines of blobs one by one, while questions are answered. @returns what follows the last line break */
export async function eachLine(
  store: BlobStore,
  blobs: readonly BlobId[],
  take: (bytes: Buffer, start: number, end: number) => void,
): Promise<Buffer> {
  const turns = new Turns();
  let rest = Buffer.alloc(0);
  for await (const blob of readBlobs(store, blobs)) {
    const bytes = Buffer.concat([rest, blob]);
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      take(bytes, start, end);
      start = end + 1;
      if (turns.isOver()) await turns.next();
    }
    rest = bytes.subarray(start);
  }
  return rest;
}

/** Blobs in their order, some of them on their way at once. */
export async function* readBlobs(store: BlobStore, blobs: readonly BlobId[]): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blobs.length; at += PARALLEL)
    yield* await inParallel(blobs.slice(at, at + PARALLEL), PARALLEL, (blob) => store.get(blob));
}

export function bytesOf(numbers: Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** @throws BadSnapshot when these are no whole numbers */
export function numbersOf(bytes: Uint8Array): Uint32Array {
  if (bytes.length % Uint32Array.BYTES_PER_ELEMENT !== 0) throw new BadSnapshot('A number is cut off.');
  const isAligned = bytes.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset, length } = isAligned ? bytes : Uint8Array.from(bytes);
  return new Uint32Array(buffer, byteOffset, length / Uint32Array.BYTES_PER_ELEMENT);
}
