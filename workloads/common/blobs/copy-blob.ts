import { BlobCorrupt, type BlobId, type BlobStore } from './blob-store.ts';

/**
 * Copies a blob from one store to another, in pieces, and makes it young where it is there already.
 * @returns its size in bytes
 * @throws BlobNotFound, BlobCorrupt; then nothing was put
 */
export async function copyBlob(from: BlobStore, to: BlobStore, id: BlobId): Promise<number> {
  const writer = to.writer();
  try {
    for await (const chunk of from.stream(id)) await writer.write(chunk);
    const put = await writer.commit();
    if (put.id !== id) throw new BlobCorrupt(`the copy of blob ${id} has the hash ${put.id}`);
    return put.sizeBytes;
  } finally {
    await writer.abort();
  }
}
