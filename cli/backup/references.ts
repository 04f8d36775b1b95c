// Which blobs of a store belong to the backups in it.
import type { BlobId, BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { readIndex } from './index-files.ts';
import { listBackups, readManifest } from './manifest.ts';

/** Parts of indexes, segments, and the blobs of their messages. @throws BadBackup when one can't be read */
export async function* readBackupReferences(store: BlobStore): AsyncGenerator<BlobId> {
  for (const id of await listBackups(store)) {
    const manifest = await readManifest(store, id);
    for (const part of manifest.index) yield part.id;
    for await (const { extents } of readIndex(store, manifest))
      for (const { segment, blobs } of extents) {
        yield segment;
        yield* blobs;
      }
  }
}
