// Holds bytes whose number isn't known yet, to be read again, several times if need be: small ones in memory, larger ones
// in a temporary file, so that many uploads at once cost little memory.
import { createHash, randomUUID, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BlobStoreUnavailable } from './blob-store.ts';

/** Most parts of mail are smaller. */
const MEMORY_BYTES = 256 * 1024;

export class Spool {
  readonly #hash: Hash = createHash('sha256');
  readonly #path = join(tmpdir(), `cellpost-spool-${process.pid}-${randomUUID()}`);
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #file: FileHandle | undefined;

  /** @throws BlobStoreUnavailable when the temporary file can't be written */
  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.byteLength;
    // A copy: the caller may use its buffer again.
    if (!this.#file) this.#chunks.push(new Uint8Array(chunk));
    try {
      if (this.#file) await writeAll(this.#file, chunk);
      else if (this.#sizeBytes > MEMORY_BYTES) await this.#moveToFile();
    } catch (error) {
      throw new BlobStoreUnavailable(`can't write a temporary file: ${String(error)}`, { cause: error });
    }
  }

  /** To be called once, after the last write. */
  finish(): { id: string; sizeBytes: number } {
    return { id: this.#hash.digest('hex'), sizeBytes: this.#sizeBytes };
  }

  /** All bytes from the first on. */
  read(): Buffer | Readable {
    return this.#file ? createReadStream(this.#path) : Buffer.concat(this.#chunks);
  }

  /** Where the bytes are until close(), for whoever reads them by themselves. */
  source(): { bytes: Uint8Array } | { path: string } {
    return this.#file ? { path: this.#path } : { bytes: Buffer.concat(this.#chunks) };
  }

  async close(): Promise<void> {
    this.#chunks = [];
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    await file.close();
    await rm(this.#path, { force: true });
  }

  async #moveToFile(): Promise<void> {
    this.#file = await open(this.#path, 'wx', 0o600);
    for (const chunk of this.#chunks) await writeAll(this.#file, chunk);
    this.#chunks = [];
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.byteLength) written += (await file.write(chunk, written)).bytesWritten;
}
