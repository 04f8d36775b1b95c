// Reads a whole backup and checks every hash in it.
import { BlobCorrupt, BlobNotFound, type BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { IdPartitions, PARTS } from '../../workloads/common/blobs/id-partitions.ts';
import { merged } from '../merged.ts';
import type { Progress } from '../progress.ts';
import { readIndex } from './index-files.ts';
import { BadBackup, type IndexRecord } from './index-record.ts';
import type { Manifest } from './manifest.ts';
import { readLog } from './segments.ts';

const PARALLEL_READS = 8;

export type VerifyResult = { id: string; keys: number; entries: number; blobs: number; bytes: number };

/** @throws BadBackup at the first thing that is missing or is not what it was */
export async function verifyBackup(
  store: BlobStore,
  manifest: Manifest,
  progress: Progress,
): Promise<VerifyResult> {
  const result: VerifyResult = { id: manifest.id, keys: 0, entries: 0, blobs: 0, bytes: 0 };
  progress.total(manifest.keys);
  const blobs = await IdPartitions.make();
  try {
    async function* checkLog(record: IndexRecord): AsyncGenerator<IndexRecord> {
      for await (const { entry, bodies } of readLog(store, record)) {
        result.entries++;
        result.bytes += entry.byteLength;
        for (const { bytes } of bodies) result.bytes += bytes.byteLength;
      }
      yield record;
    }
    for await (const { extents } of merged(readIndex(store, manifest), PARALLEL_READS, checkLog)) {
      for (const extent of extents) for (const id of extent.blobs) await blobs.add(id);
      result.keys++;
      progress.add(1);
    }
    for (let part = 0; part < PARTS; part++) {
      const ids = (await blobs.read(part)).keys();
      for await (const bytes of merged(ids, PARALLEL_READS, (id) => checkBlob(store, id))) {
        result.blobs++;
        result.bytes += bytes;
      }
    }
  } finally {
    await blobs.close();
  }
  if (result.keys !== manifest.keys || result.entries !== manifest.entries)
    throw new BadBackup(
      `backup ${manifest.id} has ${result.keys} logs, its manifest tells of ${manifest.keys}`,
    );
  return result;
}

async function* checkBlob(store: BlobStore, id: string): AsyncGenerator<number> {
  let bytes = 0;
  try {
    for await (const chunk of store.stream(id)) bytes += chunk.byteLength;
  } catch (error) {
    if (error instanceof BlobNotFound || error instanceof BlobCorrupt)
      throw new BadBackup(`blob ${id}: ${error.message}`, { cause: error });
    throw error;
  }
  yield bytes;
}
