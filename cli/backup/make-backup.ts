// Makes a backup on top of the one before: of each log only the entries since, of each blob only what is not there.
//
// Order of writing: blobs and segments, then the part of the index that names them, at last the manifest. Whatever dies
// when, the backups before are whole, and what was written in vain is written again as the same blobs, or not at all.
import { createHash } from 'node:crypto';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { blobsOf } from '../log/blob-references.ts';
import { decodeEntry, readEntries } from '../log/log-client.ts';
import type { TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import type { Progress } from '../progress.ts';
import { ahead } from './ahead.ts';
import { BlobCopies } from './blob-copies.ts';
import { IndexWriter, readIndex } from './index-files.ts';
import type { Extent, IndexRecord } from './index-record.ts';
import { latestBackup, newBackup, writeManifest, type Manifest } from './manifest.ts';
import { scanLogs, type Found } from './scan.ts';
import { SegmentWriter } from './segments.ts';

/** Logs whose entries are asked for before their turn comes. */
const LOGS_AHEAD = 16;
/** A log that is in more pieces than that is read anew, whole: a restore reads each piece by itself. */
const MAX_EXTENTS = 64;

export type BackupOptions = {
  cells: Cells;
  /** The platform's blobs. */
  blobs: BlobStore;
  /** Where the backup goes; may be the same store. */
  target: BlobStore;
  /** The one cell whose users it is to have; null: those of all. */
  cell: string | null;
  /** Builds on no backup before, and writes everything anew: what was damaged there is whole again. */
  full: boolean;
};

/** @throws when a log or a blob can't be read or written: then there is no backup, and those before are whole */
export async function makeBackup(
  { cells, blobs, target, cell, full }: BackupOptions,
  progress: Progress,
): Promise<Manifest> {
  const names = await cells.cellNames();
  if (cell !== null && !names.includes(cell)) throw new Error(`There is no cell ${cell}.`);
  const parent = full ? undefined : await latestBackup(target, cell);
  if (parent) progress.total(parent.keys);

  const copies = new BlobCopies(blobs, target, full);
  const segments = new SegmentWriter(target);
  const index = new IndexWriter(target, parent?.index ?? [], () => segments.flush());
  const total = { keys: 0, entries: 0 };
  const added = { keys: 0, entries: 0 };
  const found = scanLogs(cells, cell === null ? names : [cell], parent ? readIndex(target, parent) : none());
  for await (const { item, results } of ahead(found, LOGS_AHEAD, (one) => readNew(cells, one))) {
    const { key, head, previous } = item;
    let record: IndexRecord | undefined = previous;
    for await (const { row, extents } of results) {
      const references = blobsOf(decodeEntry(row).actions);
      for (const id of references) await copies.add(id);
      await segments.add(extents, row, references);
      record = { key, head: row.seq, headSha256: sha256(row.entry), extents };
      added.entries++;
    }
    if (!record) throw new Error(`the log of ${key} ends before entry ${head.seq}`);
    await index.add(record);
    total.keys++;
    total.entries += record.head;
    if (record !== previous) added.keys++;
    progress.add(1);
  }
  await index.finish();
  await copies.finish();

  const manifest: Manifest = {
    format: 1,
    ...newBackup(parent),
    cell,
    ...total,
    index: index.parts,
    added: {
      ...added,
      segments: segments.written,
      segmentBytes: segments.writtenBytes,
      indexBytes: index.addedBytes,
      blobs: copies.copied,
      blobBytes: copies.copiedBytes,
    },
  };
  await writeManifest(target, manifest);
  return manifest;
}

/** The entries that the backup before lacks, and the extents that they are to be added to. */
async function* readNew(
  cells: Cells,
  { key, head, previous }: Found,
): AsyncGenerator<{ row: TransferRow; extents: Extent[] }> {
  if (previous?.head === head.seq && previous.headSha256 === head.sha256) return;
  let extents: Extent[] = [];
  let from = 1;
  if (previous && previous.head < head.seq && previous.extents.length < MAX_EXTENTS) {
    // The log may be another than the one of the backup before: restored from an older one, and gone on since.
    if (await isEntry(cells, key, previous)) {
      extents = [...previous.extents];
      from = previous.head + 1;
    }
  }
  for await (const row of readEntries(cells, key, { from, to: head.seq })) yield { row, extents };
}

async function isEntry(cells: Cells, key: string, { head, headSha256 }: IndexRecord): Promise<boolean> {
  for await (const row of readEntries(cells, key, { from: head, to: head, bodies: false }))
    return sha256(row.entry) === headSha256;
  return false;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* none(): AsyncGenerator<IndexRecord> {
  // No backup before.
}
