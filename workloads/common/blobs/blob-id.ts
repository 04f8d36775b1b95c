// What every blob store checks before it does anything.
import { BlobCorrupt, BlobNotFound, DOCUMENT_NAME, type BlobId, type ByteRange } from './blob-store.ts';

const BLOB_ID = /^[0-9a-f]{64}$/;

/** An id goes into paths and URLs: nothing but a hash may. @throws BlobNotFound */
export function assertBlobId(id: BlobId): void {
  if (!BLOB_ID.test(id)) throw new BlobNotFound(`${JSON.stringify(id.slice(0, 80))} is no blob's id`);
}

export function isBlobId(text: string): boolean {
  return BLOB_ID.test(text);
}

/** @throws RangeError */
export function assertDocumentName(name: string): void {
  if (!DOCUMENT_NAME.test(name)) throw new RangeError(`${JSON.stringify(name.slice(0, 200))} is no name`);
}

/** @throws RangeError when a range does not lie inside a blob of this size */
export function assertRange(range: ByteRange, sizeBytes: number = Number.MAX_SAFE_INTEGER): void {
  const { offset, length } = range;
  const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!isWhole || offset < 0 || length < 0 || offset + length > sizeBytes)
    throw new RangeError(`bytes ${offset} to ${offset + length} are outside of the blob`);
}

/** @throws BlobCorrupt */
export function assertHash(id: BlobId, found: string): void {
  if (found !== id) throw new BlobCorrupt(`the bytes of blob ${id} have the hash ${found}`);
}

/** All chunks as one. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all.length === 1 && all[0] ? all[0] : new Uint8Array(Buffer.concat(all));
}
