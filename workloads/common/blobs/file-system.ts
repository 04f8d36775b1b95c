// What stores in files share: durable renames, errors by the names that stores promise, walking the folders of blobs.
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isBlobId } from './blob-id.ts';
import { BlobNotFound, BlobStoreUnavailable, type BlobId, type BlobInfo } from './blob-store.ts';

const PREFIX = /^[0-9a-f]{2}$/;

/** The blobs in `<folder>/ab/cd/`; one that goes meanwhile is left out. @throws BlobStoreUnavailable */
export async function* listBlobFiles(folder: string): AsyncGenerator<BlobInfo> {
  for (const first of await names(folder)) {
    if (!PREFIX.test(first)) continue;
    for (const second of await names(join(folder, first))) {
      const leaf = join(folder, first, second);
      for (const id of await names(leaf)) {
        if (!isBlobId(id)) continue;
        const found = await stat(join(leaf, id)).catch(() => undefined);
        if (found) yield { id, sizeBytes: found.size, changedAtMs: found.mtimeMs };
      }
    }
  }
}

/** Names in a folder; none when there is no folder. */
export async function names(folder: string): Promise<string[]> {
  return await guard(async () => {
    try {
      return await readdir(folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  });
}

/** A rename is on the disk when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Gives errors of the file system the names that the interface promises. */
export async function guard<T>(step: () => Promise<T>, id?: BlobId): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof BlobStoreUnavailable) throw error;
    if (id && errorCode(error) === 'ENOENT') throw new BlobNotFound(`there is no blob ${id}`);
    throw new BlobStoreUnavailable(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
