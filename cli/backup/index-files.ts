// The index of a backup: records in the order of their keys, cut into blobs where the keys themselves say so. A part in
// which no record changed is the same blob as in the backup before, and is not written again.
import { BlobCorrupt, BlobNotFound, type BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { BadFrame, readFrames } from '../../workloads/common/transfer/frames.ts';
import { BadBackup, compareKeys, decodeRecord, encodeRecord, type IndexRecord } from './index-record.ts';
import type { Manifest } from './manifest.ts';

/** One key in so many ends a part: it has a hash that ends in so many zero bits. */
const CUT_MASK = 0x0fff;
/** A part ends here in any case: users with many extents, or an improbable run of keys. */
const MAX_PART_BYTES = 8 * 1024 * 1024;

type Part = Manifest['index'][number];

export class IndexWriter {
  readonly #store: BlobStore;
  readonly #beforePart: () => Promise<void>;
  readonly #known: ReadonlySet<string>;
  readonly parts: Part[] = [];
  /** Bytes that were not in the backup before. */
  addedBytes = 0;
  #records: IndexRecord[] = [];
  #sizeBytes = 0;

  /**
   * @param known the parts of the backup before
   * @param beforePart makes everything that the records name durable; they may be completed until then
   */
  constructor(store: BlobStore, known: readonly Part[], beforePart: () => Promise<void>) {
    this.#store = store;
    this.#known = new Set(known.map(({ id }) => id));
    this.#beforePart = beforePart;
  }

  /** Records come in the order of their keys. */
  async add(record: IndexRecord): Promise<void> {
    this.#records.push(record);
    this.#sizeBytes += encodeRecord(record).length;
    const { bytes } = hashKey(record.key);
    const low = ((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0);
    if ((low & CUT_MASK) === 0 || this.#sizeBytes >= MAX_PART_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    const [first] = this.#records;
    if (!first) return;
    await this.#beforePart();
    const bytes = Buffer.concat(this.#records.map(encodeRecord));
    const { id, sizeBytes } = await this.#store.put(bytes);
    this.parts.push({ id, first: first.key, records: this.#records.length, sizeBytes });
    if (!this.#known.has(id)) this.addedBytes += sizeBytes;
    this.#records = [];
    this.#sizeBytes = 0;
  }
}

/** All records of a backup, in order. @throws BadBackup */
export async function* readIndex(store: BlobStore, manifest: Manifest): AsyncGenerator<IndexRecord> {
  for (const part of manifest.index) yield* await readPart(store, part);
}

/** @returns the record of one key @throws BadBackup */
export async function findRecord(
  store: BlobStore,
  manifest: Manifest,
  key: string,
): Promise<IndexRecord | undefined> {
  const part = manifest.index.findLast(({ first }) => compareKeys(first, key) <= 0);
  if (!part) return undefined;
  return (await readPart(store, part)).find((record) => record.key === key);
}

async function readPart(store: BlobStore, { id, records }: Part): Promise<IndexRecord[]> {
  try {
    const found: IndexRecord[] = [];
    for await (const payload of readFrames([await store.get(id)])) found.push(decodeRecord(payload));
    if (found.length !== records) throw new BadBackup(`part ${id} of the index lacks records`);
    return found;
  } catch (error) {
    if (error instanceof BadFrame || error instanceof BlobNotFound || error instanceof BlobCorrupt)
      throw new BadBackup(`part ${id} of the index: ${error.message}`, { cause: error });
    throw error;
  }
}
