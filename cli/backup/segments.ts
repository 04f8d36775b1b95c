// Segments: the entries of many logs one after the other, a blob each.
import { createHash } from 'node:crypto';
import {
  BlobCorrupt,
  BlobNotFound,
  type BlobId,
  type BlobStore,
} from '../../workloads/common/blobs/blob-store.ts';
import { BadFrame } from '../../workloads/common/transfer/frames.ts';
import { encodeRow, readRows, type TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { BadBackup, type Extent, type IndexRecord } from './index-record.ts';

/** Large enough for few requests, small enough to be held in memory. The last entry may take it above. */
const SEGMENT_BYTES = 8 * 1024 * 1024;

type Open = { extent: Extent; frames: Buffer[]; blobs: Set<BlobId> };

export class SegmentWriter {
  readonly #store: BlobStore;
  #frames: Buffer[] = [];
  #sizeBytes = 0;
  /** Extents of the segment at hand: it has no id yet. */
  #extents: Extent[] = [];
  #open: Open | undefined;
  written = 0;
  writtenBytes = 0;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** Begins with the entries of another log. Where they are is added to `extents`; their segment's id is there after `flush`. */
  async add(extents: Extent[], row: TransferRow, blobs: readonly BlobId[]): Promise<void> {
    const bytes = encodeRow(row);
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > SEGMENT_BYTES) await this.flush();
    const last = extents.at(-1);
    let open = this.#open;
    if (!open || open.extent !== last) {
      this.#seal();
      const extent: Extent = {
        segment: '',
        offset: this.#sizeBytes,
        length: 0,
        sha256: '',
        from: row.seq,
        to: row.seq,
        blobs: [],
      };
      extents.push(extent);
      this.#extents.push(extent);
      open = { extent, frames: [], blobs: new Set() };
      this.#open = open;
    }
    open.extent.length += bytes.length;
    open.extent.to = row.seq;
    for (const id of blobs) open.blobs.add(id);
    open.frames.push(bytes);
    this.#frames.push(bytes);
    this.#sizeBytes += bytes.length;
  }

  /** Puts the segment at hand. */
  async flush(): Promise<void> {
    this.#seal();
    if (this.#sizeBytes === 0) return;
    const { id, sizeBytes } = await this.#store.put(Buffer.concat(this.#frames));
    for (const extent of this.#extents) extent.segment = id;
    this.written++;
    this.writtenBytes += sizeBytes;
    this.#frames = [];
    this.#extents = [];
    this.#sizeBytes = 0;
  }

  #seal(): void {
    if (!this.#open) return;
    const hash = createHash('sha256');
    for (const bytes of this.#open.frames) hash.update(bytes);
    this.#open.extent.sha256 = hash.digest('hex');
    this.#open.extent.blobs = [...this.#open.blobs];
    this.#open = undefined;
  }
}

/** The entries that a backup has of a log, checked. @throws BadBackup */
export async function* readLog(store: BlobStore, record: IndexRecord): AsyncGenerator<TransferRow> {
  let next = 1;
  let last: Uint8Array = new Uint8Array();
  for (const extent of record.extents) {
    const bytes = await readExtent(store, extent);
    try {
      for await (const row of readRows([bytes])) {
        if (row.seq !== next) throw new BadBackup(`entry ${next} of ${record.key} is missing`);
        next++;
        last = row.entry;
        yield row;
      }
    } catch (error) {
      if (error instanceof BadFrame)
        throw new BadBackup(`entry ${next} of ${record.key}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  if (next !== record.head + 1 || createHash('sha256').update(last).digest('hex') !== record.headSha256)
    throw new BadBackup(`the entries of ${record.key} are not those that the index tells of`);
}

async function readExtent(
  store: BlobStore,
  { segment, offset, length, sha256 }: Extent,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await store.get(segment, { offset, length });
  } catch (error) {
    if (error instanceof BlobNotFound || error instanceof BlobCorrupt || error instanceof RangeError)
      throw new BadBackup(`segment ${segment}: ${error.message}`, { cause: error });
    throw error;
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new BadBackup(`segment ${segment} is damaged at byte ${offset}`);
  return bytes;
}
