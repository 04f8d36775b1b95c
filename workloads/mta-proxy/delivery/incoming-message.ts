// A message while it streams in: kept in memory while small, then parsed as a whole; beyond that it goes to the blob store
// and to a parser thread piece by piece.
import type { BlobStore, BlobWriter } from '../../common/blobs/blob-store.ts';
import type { Stopwatch } from '../../common/metrics/durations.ts';
import { inSpan } from '../../common/tracing.ts';
import type { Parsed } from '../parsing/parse-protocol.ts';
import type { Parsers } from '../parsing/parsers.ts';
import type { ParseStream } from '../parsing/parser-thread.ts';

export type CompleteMessage = {
  parsed: Parsed;
  /** The bytes with the trace headers, or the id of the blob that holds them. */
  body: { bytes: Uint8Array } | { blobId: string };
};

/** A client may send byte by byte, and many small chunks take far more memory than what they hold. */
const MAX_CHUNKS = 128;

export type IncomingOptions = {
  blobs: BlobStore;
  parsers: Parsers;
  /** A message of up to so many bytes is kept in memory. */
  inlineBytes: number;
  /** Times the parser with the end of a message: with all of it, when it is small. */
  parsed: Stopwatch;
};

export class IncomingMessage {
  readonly #options: IncomingOptions;
  readonly #traceBytes: number;
  readonly #parse: ParseStream;
  #chunks: Uint8Array[];
  #bytes: number;
  #writer: BlobWriter | undefined;

  /** @param trace headers of ours that come before what is received */
  constructor(options: IncomingOptions, trace: Uint8Array) {
    this.#options = options;
    this.#parse = options.parsers.open();
    this.#chunks = [trace];
    this.#bytes = trace.length;
    this.#traceBytes = trace.length;
  }

  /** Resolves when more may come. @throws BlobStoreUnavailable, ParseFailed */
  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.length;
    if (this.#writer) {
      const bytes = together([chunk]);
      await Promise.all([this.#writer.write(bytes), this.#parse.write({ bytes })]);
      return;
    }
    this.#chunks.push(chunk);
    if (this.#chunks.length > MAX_CHUNKS) this.#chunks = [together(this.#chunks)];
    if (this.#bytes <= this.#options.inlineBytes) return;
    this.#writer = this.#options.blobs.writer();
    const all = together(this.#chunks);
    this.#chunks = [];
    await Promise.all([this.#writer.write(all), this.#parse.write(this.#withoutTrace(all))]);
  }

  /** All bytes are there. @throws BlobStoreUnavailable, ParseFailed */
  async complete(): Promise<CompleteMessage> {
    if (this.#writer) {
      const [parsed, { id }] = await Promise.all([this.#end({}), this.#writer.commit()]);
      return { parsed, body: { blobId: id } };
    }
    const bytes = together(this.#chunks);
    return { parsed: await this.#end(this.#withoutTrace(bytes)), body: { bytes } };
  }

  async #end(last: { trace?: Uint8Array; bytes?: Uint8Array }): Promise<Parsed> {
    const startedAt = performance.now();
    const parsed = await inSpan('parse', () => this.#parse.end(last));
    this.#options.parsed.since(startedAt);
    return parsed;
  }

  async abort(): Promise<void> {
    this.#chunks = [];
    this.#parse.abort();
    await this.#writer?.abort();
  }

  #withoutTrace(all: Uint8Array): { trace: Uint8Array; bytes: Uint8Array } {
    return { trace: all.subarray(0, this.#traceBytes), bytes: all.subarray(this.#traceBytes) };
  }
}

/** In memory of their own: what goes to a thread takes with it all that it is a view of. */
export function together(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
