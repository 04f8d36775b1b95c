// What the embedded coordinator and its clients say to one another over a unix domain socket:
//   frame   := length (4 bytes, big-endian: bytes of the body), body (JSON, UTF-8)
//   client  := hello, then any number of requests; `watches` after a reconnect, before anything else
//   server  := welcome | gone, then responses in the order of their requests, and events
// An event is sent before the response of any later read, so a client sees the watch fire before the new data.
import type { CoordinationErrorCode, Stat, WatchEvent } from './coordination.ts';

/** A node's data in base64 with room for the rest. */
export const MAX_REQUEST_BYTES = 2 * 1024 * 1024;
/** Names of 100,000 children fit. */
export const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;

export type Hello = { hello: { timeoutMs: number; session?: string; secret?: string } };

export type LocalRequest =
  | { id: number; op: 'create'; path: string; data: string; ephemeral: boolean }
  | { id: number; op: 'get'; path: string; watch: boolean }
  | { id: number; op: 'children'; path: string; watch: boolean }
  | { id: number; op: 'set'; path: string; data: string; version?: number | undefined }
  | { id: number; op: 'delete'; path: string; version?: number | undefined }
  | { id: number; op: 'ping' }
  | { id: number; op: 'close' }
  /** Watches to set again; those that would have fired since transaction `since` fire now. */
  | { id: number; op: 'watches'; since: number; data: string[]; exists: string[]; children: string[] };

/** What a request comes to: `node` of get, `names` and `stat` of children, `stat` of set. */
export type LocalResult = { node?: { data: string; stat: Stat } | null; names?: string[]; stat?: Stat };

export type LocalResponse = { id: number; zxid: number } & (
  { ok: LocalResult } | { error: CoordinationErrorCode; message: string }
);

export type ServerFrame =
  | { welcome: { session: string; secret: string; timeoutMs: number } }
  | { gone: true }
  | { event: WatchEvent }
  | LocalResponse;

export function encodeFrame(value: Hello | LocalRequest | ServerFrame): Buffer {
  const text = JSON.stringify(value);
  const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  frame.writeUInt32BE(frame.length - 4);
  frame.write(text, 4);
  return frame;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes and yields the values of the frames that are whole now.
   * @throws when a frame is longer than allowed, or no JSON
   */
  *push(chunk: Buffer): Generator<unknown> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= 4) {
      const size = this.#peekSize();
      if (size > this.#maxBytes) throw new Error(`A frame of ${size} bytes is over ${this.#maxBytes}.`);
      if (this.#length < 4 + size) return;
      const all =
        this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
      const body = all.subarray(4, 4 + size);
      const rest = all.subarray(4 + size);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
      yield JSON.parse(body.toString('utf8')) as unknown;
    }
  }

  #peekSize(): number {
    if ((this.#chunks[0]?.length ?? 0) < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]?.readUInt32BE(0) ?? 0;
  }
}
