// Writes the dump of a log, and finds bodies in it again.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import {
  decodeRow,
  encodeRowPayload,
  type TransferRow,
} from '../../workloads/common/transfer/transfer-rows.ts';
import { DUMP_FORMAT, DUMP_MAGIC, decodeDumpFrame, encodeDumpFrame, type DumpHeader } from './dump-format.ts';

/** Bytes that are gathered before they are written. */
const BUFFER_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;

/** Where a row's frame is in the file. */
export type RowPlace = { offset: number; length: number };

export class DumpWriter {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #offset = 0;
  #rows = 0;
  #lastRead: { offset: number; row: TransferRow } | undefined;

  /** @throws when there is such a file */
  static async create(path: string, header: Omit<DumpHeader, 'format'>): Promise<DumpWriter> {
    const writer = new DumpWriter(await open(path, 'wx+', 0o600));
    await writer.#write(DUMP_MAGIC);
    await writer.#write(encodeDumpFrame({ header: { ...header, format: DUMP_FORMAT } }));
    return writer;
  }

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  async row(row: TransferRow): Promise<RowPlace> {
    const place = { offset: this.#offset, length: 0 };
    await this.#write(encodeDumpFrame({ row: encodeRowPayload(row) }));
    this.#rows++;
    return { ...place, length: this.#offset - place.offset };
  }

  /** Writes the end, and everything to the disk. Without it a dump is no dump. */
  async finish(): Promise<void> {
    const sha256 = this.#hash.copy().digest();
    await this.#write(encodeDumpFrame({ end: { rows: this.#rows, sha256 } }));
    await this.#flush();
    await this.#file.sync();
  }

  /** @returns a row that was written; the same as before costs nothing, as an entry may hold many messages */
  async read({ offset, length }: RowPlace): Promise<TransferRow> {
    if (this.#lastRead?.offset === offset) return this.#lastRead.row;
    if (offset + length > this.#offset - this.#waitingBytes) await this.#flush();
    const bytes = Buffer.alloc(length);
    await this.#file.read(bytes, 0, length, offset);
    const row = decodeRow(decodeDumpFrame(bytes.subarray(LENGTH_BYTES)).row ?? new Uint8Array());
    this.#lastRead = { offset, row };
    return row;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    this.#offset += bytes.byteLength;
    if (this.#waitingBytes >= BUFFER_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    const start = this.#offset - this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let written = 0; written < bytes.length;)
      written += (await this.#file.write(bytes, written, bytes.length - written, start + written))
        .bytesWritten;
  }
}
