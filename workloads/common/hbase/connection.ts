// One TCP connection to one service of one server, with many calls under way at once.
import { connect, type Socket } from 'node:net';
import type { Stopwatch } from '../metrics/durations.ts';
import { NumberMap } from '../number-map.ts';
import { inSpan } from '../tracing.ts';
import { ConnectionLost, ServerException } from './errors.ts';
import {
  connectionPreamble,
  parseResponse,
  requestFrame,
  type MessageName,
  type ResponseFrame,
} from './wire.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** A response is never larger: scans ask for less, and a cell is at most 10 MB on the server. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** A server that has said nothing for so long while calls wait is gone, or as good as. */
const SILENCE_MS = 5_000;
/** More calls wait here: a server takes ten times its handlers (32 in cells) from all its clients and refuses the rest. */
export const MAX_CALLS_SENT = 256;
/** The same for the bytes of calls without an answer. One larger call goes alone. */
const MAX_BYTES_SENT = 16 * 1024 * 1024;
const CLIENT = { kind: 'client' } as const;
const MAX_CALL_ID = 0x7fffffff;

export type Service = 'AdminService' | 'ClientService' | 'ClientMetaService' | 'MasterService';
export type RpcCall = {
  method: string;
  parameter: { type: MessageName; message: object };
  timeoutMs: number;
};
type Pending = {
  frame: Buffer;
  resolve: (response: ResponseFrame) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
  startedAt: number;
  took: Stopwatch | undefined;
};
/** The stopwatch of a method; undefined: nothing is measured. */
export type StopwatchOf = (method: string) => Stopwatch | undefined;

export class Connection {
  readonly #socket: Socket;
  readonly #address: string;
  readonly #stopwatchOf: StopwatchOf;
  /** Calls that the server has, or may have. */
  readonly #sent = new NumberMap<Pending>();
  #sentBytes = 0;
  #isCorked = false;
  /** Calls that it does not have yet, the oldest first. */
  readonly #waiting = new Map<number, Pending>();
  readonly #chunks: Buffer[] = [];
  #buffered = 0;
  #nextId = 1;
  /** Since when the server has owed an answer and said nothing. */
  #silentSince: number | undefined;
  #broken: Error | undefined;

  private constructor(socket: Socket, address: string, stopwatchOf: StopwatchOf) {
    this.#stopwatchOf = stopwatchOf;
    this.#socket = socket;
    this.#address = address;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, SILENCE_MS);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#break(error.message));
    socket.on('close', () => this.#break('closed by the server'));
  }

  /** @param address `host:port` @throws ConnectionLost */
  static open(
    address: string,
    service: Service,
    user: string,
    stopwatchOf: StopwatchOf = () => undefined,
  ): Promise<Connection> {
    const colon = address.lastIndexOf(':');
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionLost(`${address}: ${why}`, false));
      };
      const timer = setTimeout(() => fail('no connection in time'), CONNECT_TIMEOUT_MS);
      const onError = (error: Error): void => fail(error.message);
      socket.once('error', onError);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', onError);
        const connection = new Connection(socket, address, stopwatchOf);
        socket.write(connectionPreamble(service, user));
        resolve(connection);
      });
    });
  }

  get isOpen(): boolean {
    return this.#broken === undefined;
  }

  /** Calls that the server has. */
  get sent(): number {
    return this.#sent.size;
  }

  /** Calls that wait for a place among those. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws ServerException, ConnectionLost */
  call(call: RpcCall): Promise<ResponseFrame> {
    return inSpan(`hbase ${call.method}`, () => this.#call(call), CLIENT);
  }

  #call({ method, parameter, timeoutMs }: RpcCall): Promise<ResponseFrame> {
    if (this.#broken) return Promise.reject(new ConnectionLost(this.#broken.message, false));
    const id = this.#nextId;
    this.#nextId = id === MAX_CALL_ID ? 1 : id + 1;
    // First the frame: one that can't be made breaks nothing.
    const frame = requestFrame({ id, method, timeoutMs }, parameter);
    const startedAt = performance.now();
    const took = this.#stopwatchOf(method);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const wasSent = !this.#waiting.delete(id);
        this.#forget(id);
        took?.since(startedAt);
        const why = `${this.#address}: no answer to ${method} in ${Math.round(timeoutMs)} ms`;
        reject(new ConnectionLost(why, wasSent));
        const silentSince = this.#silentSince ?? Infinity;
        if (performance.now() - silentSince >= SILENCE_MS) this.#break('silent for too long');
        else this.#send();
      }, timeoutMs);
      const pending = { frame, resolve, reject, timer, startedAt, took };
      if (this.#waiting.size === 0 && this.#hasRoomFor(pending)) this.#sendNow(id, pending);
      else this.#waiting.set(id, pending);
    });
  }

  /** Sends what the bounds allow. */
  #send(): void {
    for (const [id, call] of this.#waiting) {
      if (!this.#hasRoomFor(call)) return;
      this.#waiting.delete(id);
      this.#sendNow(id, call);
    }
  }

  #hasRoomFor({ frame }: Pending): boolean {
    if (this.#sent.size === 0) return true;
    return this.#sent.size < MAX_CALLS_SENT && this.#sentBytes + frame.length <= MAX_BYTES_SENT;
  }

  #sendNow(id: number, call: Pending): void {
    this.#sent.set(id, call);
    this.#sentBytes += call.frame.length;
    this.#silentSince ??= performance.now();
    this.#write(call.frame);
  }

  /** What is sent in one turn goes in one call of the system: groups of appends mostly start together. */
  #write(frame: Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  #forget(id: number): Pending | undefined {
    const call = this.#sent.take(id);
    if (call) this.#sentBytes -= call.frame.length;
    return call;
  }

  close(): void {
    this.#break('closed');
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    this.#readFrames();
    this.#silentSince = this.#sent.size > 0 ? performance.now() : undefined;
    this.#send();
  }

  #readFrames(): void {
    while (this.#buffered >= 4) {
      const length = this.#peekLength();
      if (length < 0 || length > MAX_FRAME_BYTES) {
        this.#break(`a frame of ${length} bytes`);
        return;
      }
      if (this.#buffered < 4 + length) return;
      this.#answer(this.#cut(4 + length).subarray(4));
    }
  }

  #peekLength(): number {
    const [first] = this.#chunks;
    if (first && first.length >= 4) return first.readInt32BE(0);
    this.#join();
    return this.#chunks[0]?.readInt32BE(0) ?? 0;
  }

  #join(): void {
    const all = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    this.#chunks.push(all);
  }

  #cut(size: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < size) this.#join();
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    this.#buffered -= size;
    if (first.length === size) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(size);
    return first.subarray(0, size);
  }

  #answer(frame: Buffer): void {
    let response: ResponseFrame;
    try {
      response = parseResponse(frame);
    } catch (error) {
      this.#break(`an unreadable response: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const pending = this.#forget(response.id);
    // Nobody waits any more: the call has timed out.
    if (!pending) return;
    clearTimeout(pending.timer);
    pending.took?.since(pending.startedAt);
    if (response.exception) {
      const { className, detail, doNotRetry } = response.exception;
      pending.reject(new ServerException(className, detail, doNotRetry));
    } else pending.resolve(response);
  }

  #break(why: string): void {
    if (this.#broken) return;
    this.#broken = new Error(`${this.#address}: ${why}`);
    this.#socket.destroy();
    const { message } = this.#broken;
    for (const [calls, wasSent] of [
      [this.#sent, true],
      [this.#waiting, false],
    ] as const) {
      for (const { reject, timer, took, startedAt } of calls.values()) {
        clearTimeout(timer);
        took?.since(startedAt);
        reject(new ConnectionLost(message, wasSent));
      }
      calls.clear();
    }
  }
}
