// Many blob ids, more than memory holds: written to files by their first byte, read back one part after the other.
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobId } from './blob-store.ts';

/** A part of a hundred million ids is read into 30 MB or so. */
export const PARTS = 256;
/** Ids of a part that are kept before they are written: 4 MiB in all parts. */
const BUFFERED_IDS = 512;
const ID_BYTES = 32;
/** An id, and the size of its blob. */
const RECORD_BYTES = ID_BYTES + 8;

type Part = { buffered: Buffer; used: number; file: FileHandle | undefined };

export class IdPartitions {
  readonly #folder: string;
  readonly #parts: Part[];

  static async make(): Promise<IdPartitions> {
    return new IdPartitions(await mkdtemp(join(tmpdir(), 'cellpost-ids-')));
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.#parts = Array.from({ length: PARTS }, () => ({
      buffered: Buffer.alloc(0),
      used: 0,
      file: undefined,
    }));
  }

  /** Adds an id; the same may come again. To be called by one at a time. */
  async add(id: BlobId, sizeBytes = 0): Promise<void> {
    const number = Number.parseInt(id.slice(0, 2), 16);
    const part = this.#parts[number];
    if (!part) throw new RangeError(`${id} is no blob's id`);
    if (part.buffered.length === 0) part.buffered = Buffer.allocUnsafe(RECORD_BYTES * BUFFERED_IDS);
    part.buffered.write(id, part.used, 'hex');
    part.buffered.writeBigUInt64BE(BigInt(sizeBytes), part.used + ID_BYTES);
    part.used += RECORD_BYTES;
    if (part.used === part.buffered.length) await this.#flush(part, number);
  }

  /** The ids of a part (0 to PARTS - 1), with their sizes. */
  async read(number: number): Promise<Map<BlobId, number>> {
    const found = new Map<BlobId, number>();
    const part = this.#parts[number];
    if (!part) return found;
    const written = part.file ? await readFile(this.#path(number)) : Buffer.alloc(0);
    for (const bytes of [written, part.buffered.subarray(0, part.used)]) {
      for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
        const id = bytes.toString('hex', at, at + ID_BYTES);
        found.set(id, Number(bytes.readBigUInt64BE(at + ID_BYTES)));
      }
    }
    return found;
  }

  async close(): Promise<void> {
    for (const part of this.#parts) await part.file?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #flush(part: Part, number: number): Promise<void> {
    part.file ??= await open(this.#path(number), 'a', 0o600);
    await part.file.appendFile(part.buffered.subarray(0, part.used));
    part.used = 0;
  }

  #path(number: number): string {
    return join(this.#folder, String(number));
  }
}
