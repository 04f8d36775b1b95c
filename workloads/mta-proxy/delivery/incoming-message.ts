// A message while it streams in: parsed, hashed, kept in memory while small, else in the blob store.
import { createHash } from 'node:crypto';
import type { BlobStore, BlobWriter } from '../../common/blobs/blob-store.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';
import { MessageParser } from '../../common/mime/parser.ts';

export type CompleteMessage = {
  parsed: ParsedMessage;
  body: { base64: string } | { blobId: string; sizeBytes: number };
  /** SHA-256 of the bytes as they were received, without the trace headers. */
  digest: Buffer;
};

/** A client may send byte by byte, and many small chunks take far more memory than what they hold. */
const MAX_CHUNKS = 128;

export class IncomingMessage {
  readonly #blobs: BlobStore;
  readonly #inlineBytes: number;
  readonly #parser = new MessageParser();
  readonly #hash = createHash('sha256');
  #chunks: Uint8Array[];
  #bytes: number;
  #writer: BlobWriter | undefined;

  /** @param trace headers of ours that come before what is received */
  constructor(blobs: BlobStore, inlineBytes: number, trace: Uint8Array) {
    this.#blobs = blobs;
    this.#inlineBytes = inlineBytes;
    this.#chunks = [trace];
    this.#bytes = trace.length;
    this.#parser.push(trace);
  }

  /** @throws BlobStoreUnavailable */
  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    this.#parser.push(chunk);
    this.#bytes += chunk.length;
    if (this.#writer) {
      await this.#writer.write(chunk);
      return;
    }
    this.#chunks.push(chunk);
    if (this.#chunks.length > MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)];
    if (this.#bytes <= this.#inlineBytes) return;
    this.#writer = this.#blobs.writer();
    const chunks = this.#chunks;
    this.#chunks = [];
    await this.#writer.write(Buffer.concat(chunks));
  }

  /** All bytes are there. @throws BlobStoreUnavailable */
  async complete(): Promise<CompleteMessage> {
    const parsed = this.#parser.end();
    const digest = this.#hash.digest();
    if (!this.#writer)
      return { parsed, digest, body: { base64: Buffer.concat(this.#chunks).toString('base64') } };
    const { id, sizeBytes } = await this.#writer.commit();
    return { parsed, digest, body: { blobId: id, sizeBytes } };
  }

  async abort(): Promise<void> {
    this.#chunks = [];
    await this.#writer?.abort();
  }
}
