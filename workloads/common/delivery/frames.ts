// Frames on a socket: uint32 length of what follows, uint32 length of the head, head, rest; big-endian.
import type { Socket } from 'node:net';

/** A message's bytes and all that is known of it: a log entry and its body take less. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
const LENGTH_BYTES = 4;
const PREFIX_BYTES = 2 * LENGTH_BYTES;

export type Frame = { head: Uint8Array; rest: Uint8Array };

/** The peer sends what is no frame: nothing that follows can be understood. */
class BadFrame extends Error {
  override name = 'BadFrame';
}

/** Takes a socket's bytes, gives whole frames. What it gives are views of the bytes that came. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that the next frame takes with its prefix; nothing is looked at before they are there. */
  #wanted = PREFIX_BYTES;

  /** @throws BadFrame */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#wanted) return [];
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    const frames: Frame[] = [];
    this.#wanted = PREFIX_BYTES;
    while (bytes.length >= PREFIX_BYTES) {
      const length = bytes.readUInt32BE(0);
      const headBytes = bytes.readUInt32BE(LENGTH_BYTES);
      if (length > MAX_FRAME_BYTES || headBytes + LENGTH_BYTES > length)
        throw new BadFrame('a frame of impossible lengths');
      const end = LENGTH_BYTES + length;
      if (bytes.length < end) {
        this.#wanted = end;
        break;
      }
      const headEnd = PREFIX_BYTES + headBytes;
      frames.push({ head: bytes.subarray(PREFIX_BYTES, headEnd), rest: bytes.subarray(headEnd, end) });
      bytes = bytes.subarray(end);
    }
    this.#chunks = bytes.length > 0 ? [bytes] : [];
    this.#bytes = bytes.length;
    return frames;
  }
}

/** Sends frames; those of one turn of the event loop go out together. */
export class FrameWriter {
  readonly #socket: Socket;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** What was written and is not sent yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** @throws RangeError for a frame that no peer would take */
  write(head: Uint8Array, rest?: Uint8Array): void {
    const restBytes = rest?.length ?? 0;
    const length = LENGTH_BYTES + head.length + restBytes;
    if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`);
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    const start = Buffer.allocUnsafe(PREFIX_BYTES + head.length);
    start.writeUInt32BE(length, 0);
    start.writeUInt32BE(head.length, LENGTH_BYTES);
    start.set(head, PREFIX_BYTES);
    this.#socket.write(start);
    if (rest && restBytes > 0) this.#socket.write(rest);
  }
}
