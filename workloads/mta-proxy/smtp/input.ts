// A socket's bytes as lines and chunks, with bounds and deadlines. One reader at a time.
import type { Socket } from 'node:net';
import { MAX_BUFFERED_BYTES, MAX_SWALLOWED_LINE_BYTES } from './limits.ts';

const LF = 0x0a;

/** Nothing came in time. */
export class InputTimeout extends Error {
  override name = 'InputTimeout';
}

/** The peer has gone, or sends what can't be waited for. */
export class InputEnded extends Error {
  override name = 'InputEnded';
}

export class SocketInput {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #failed = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes > MAX_BUFFERED_BYTES) socket.pause();
      this.#wake?.();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake?.();
    });
    const fail = (): void => {
      this.#failed = true;
      this.#wake?.();
    };
    socket.on('error', fail);
    socket.on('close', fail);
  }

  /** Bytes that came before the last reply was sent: the client is pipelining. */
  get hasBuffered(): boolean {
    return this.#bytes > 0;
  }

  /** Wakes a waiting reader with InputEnded. */
  abort(): void {
    this.#failed = true;
    this.#wake?.();
  }

  /**
   * The next line, without its line break.
   * @returns undefined for a line of more than maxBytes: it was swallowed
   * @throws InputTimeout, InputEnded
   */
  async line(maxBytes: number, timeoutMs: number): Promise<string | undefined> {
    const deadline = performance.now() + timeoutMs;
    let scanned = 0;
    let swallowed = 0;
    for (;;) {
      const end = this.#find(scanned);
      if (end !== -1) {
        const line = this.#take(end + 1);
        if (swallowed + line.length > maxBytes) return undefined;
        return line.toString('utf8', 0, end > 0 && line[end - 1] === 0x0d ? end - 1 : end);
      }
      if (this.#bytes > maxBytes) swallowed += this.#take(this.#bytes).length;
      if (swallowed > MAX_SWALLOWED_LINE_BYTES) throw new InputEnded('a line without end');
      scanned = this.#bytes;
      await this.#more(deadline);
    }
  }

  /** The next bytes, as many as there are, at most `maxBytes`. @throws InputTimeout, InputEnded */
  async chunk(maxBytes: number, timeoutMs: number): Promise<Buffer> {
    if (this.#bytes === 0) await this.#more(performance.now() + timeoutMs);
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    return this.#take(Math.min(first.length, maxBytes));
  }

  /** Gives back bytes that were read too far. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.unshift(bytes);
    this.#bytes += bytes.length;
  }

  #find(from: number): number {
    let offset = 0;
    for (const chunk of this.#chunks) {
      if (offset + chunk.length > from) {
        const found = chunk.indexOf(LF, Math.max(0, from - offset));
        if (found !== -1) return offset + found;
      }
      offset += chunk.length;
    }
    return -1;
  }

  #take(count: number): Buffer {
    const parts: Buffer[] = [];
    let left = count;
    while (left > 0) {
      const chunk = this.#chunks[0];
      if (!chunk) break;
      if (chunk.length <= left) {
        parts.push(chunk);
        this.#chunks.shift();
        left -= chunk.length;
      } else {
        parts.push(chunk.subarray(0, left));
        this.#chunks[0] = chunk.subarray(left);
        left = 0;
      }
    }
    this.#bytes -= count - left;
    if (this.#bytes <= MAX_BUFFERED_BYTES / 2 && this.#socket.isPaused()) this.#socket.resume();
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  async #more(deadline: number): Promise<void> {
    const had = this.#bytes;
    while (this.#bytes === had) {
      if (this.#failed || this.#ended) throw new InputEnded('the connection has ended');
      const left = deadline - performance.now();
      if (left <= 0) throw new InputTimeout('nothing came in time');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }
}
