// One memcached server over its meta commands, pipelined on one connection. memcached answers in order, each command once:
//   mg <key> <flags>\r\n              → EN | HD <flags> | VA <size> <flags>\r\n<bytes>\r\n
//   ms <key> <size> <flags>\r\n<bytes>\r\n → HD | NS | EX | NF
//   md <key> <flags>\r\n              → HD | NF | EX
import { connect, type Socket } from 'node:net';
import type { Stopwatch } from '../metrics/durations.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';

/** memcached answers in well under a millisecond; somebody waits, and who stores the counts can be asked instead. */
const DEADLINE_MS = 500;
/** Commands under way: some batches of a hundred users from each of some hundred requests. */
export const MAX_UNDER_WAY = 20_000;
/** The longest answer that is ours is a few hundred bytes: whoever sends more without an end is no memcached. */
const MAX_VALUE_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 2_048;
/** A server that is away is not asked again for so long. */
const RETRY_AFTER_MS = 250;

/** The server is away, or too slow, or answers what it should not. What was asked may have happened. */
export class MemcacheUnavailable extends Error {
  override name = 'MemcacheUnavailable';
}

export type MetaAnswer = { status: string; flags: readonly string[]; value: Buffer | undefined };
type UnderWay = {
  resolve: (answer: MetaAnswer) => void;
  reject: (error: Error) => void;
  deadline: number;
  startedAt: number;
  took: Stopwatch | undefined;
};

export class MemcacheConnection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #underWay: UnderWay[] = [];
  #outgoing: (string | Buffer)[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #notBefore = 0;
  #failures = 0;
  #closed = false;
  readonly #stopwatches = new Map<string, Stopwatch>();
  readonly #watch: NodeJS.Timeout;

  constructor(host: string, port: number, metrics?: WorkloadMetrics) {
    if (metrics)
      for (const name of ['mg', 'ms', 'md'])
        this.#stopwatches.set(name, metrics.storeCall('memcached', name));
    this.#host = host;
    this.#port = port;
    this.#watch = setInterval(() => this.#checkDeadline(), DEADLINE_MS / 5);
    this.#watch.unref();
  }

  /**
   * Sends one meta command; commands sent in one turn of the event loop go out together.
   * @param command without its line's end @throws MemcacheUnavailable
   */
  send(command: string, value?: Buffer): Promise<MetaAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#closed || performance.now() < this.#notBefore)
        return reject(new MemcacheUnavailable(`${this.#host}:${this.#port} is away`));
      if (this.#underWay.length >= MAX_UNDER_WAY)
        return reject(new MemcacheUnavailable(`too much is under way to ${this.#host}:${this.#port}`));
      const startedAt = performance.now();
      const took = this.#stopwatches.get(command.slice(0, 2));
      this.#underWay.push({ resolve, reject, deadline: startedAt + DEADLINE_MS, startedAt, took });
      if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
      this.#outgoing.push(`${command}\r\n`);
      if (value) this.#outgoing.push(value, '\r\n');
    });
  }

  /** Another one after each failure: the server may have been started anew since, and count its tokens from the beginning. */
  get generation(): number {
    return this.#failures;
  }

  /** Commands without an answer. */
  get underWay(): number {
    return this.#underWay.length;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#fail(new MemcacheUnavailable('the connection was closed'));
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    const socket = (this.#socket ??= this.#connect());
    socket.cork();
    for (const part of this.#outgoing) socket.write(part);
    socket.uncork();
    this.#outgoing = [];
  }

  #connect(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    const gone = (error?: Error): void => {
      if (this.#socket === socket)
        this.#fail(new MemcacheUnavailable(`${this.#host}:${this.#port}: ${error?.message ?? 'it hung up'}`));
    };
    socket.on('error', gone);
    socket.on('close', () => gone());
    socket.on('data', (bytes: Buffer) => {
      if (this.#socket === socket) this.#take(bytes);
    });
    return socket;
  }

  #take(bytes: Buffer): void {
    let unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const parsed = parseAnswer(unread);
      if (parsed === 'incomplete') break;
      const asked = parsed === 'broken' ? undefined : this.#underWay.shift();
      if (parsed === 'broken' || !asked)
        return this.#fail(new MemcacheUnavailable(`${this.#host}:${this.#port} sends what is no answer`));
      asked.took?.since(asked.startedAt);
      asked.resolve(parsed.answer);
      unread = unread.subarray(parsed.length);
    }
    // A copy: what is left is little, and would hold the whole of what was read.
    this.#unread = Buffer.from(unread);
  }

  #checkDeadline(): void {
    const first = this.#underWay[0];
    if (first && performance.now() > first.deadline)
      this.#fail(new MemcacheUnavailable(`${this.#host}:${this.#port} does not answer`));
  }

  /** Answers come in order only: after one that is missing, none can be told from another. */
  #fail(error: MemcacheUnavailable): void {
    const underWay = this.#underWay;
    const socket = this.#socket;
    this.#failures++;
    this.#socket = undefined;
    this.#underWay = [];
    this.#outgoing = [];
    this.#unread = Buffer.alloc(0);
    this.#notBefore = performance.now() + RETRY_AFTER_MS;
    socket?.destroy();
    for (const { reject, took, startedAt } of underWay) {
      took?.since(startedAt);
      reject(error);
    }
  }
}

function parseAnswer(bytes: Buffer): { answer: MetaAnswer; length: number } | 'incomplete' | 'broken' {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return bytes.length > MAX_LINE_BYTES ? 'broken' : 'incomplete';
  const [status = '', ...words] = bytes.toString('latin1', 0, end).split(' ');
  if (!/^(?:HD|EN|VA|NS|EX|NF)$/.test(status)) return 'broken';
  if (status !== 'VA') return { answer: { status, flags: words, value: undefined }, length: end + 2 };
  const size = Number(words[0]);
  if (!Number.isInteger(size) || size < 0 || size > MAX_VALUE_BYTES) return 'broken';
  const after = end + 2 + size;
  if (bytes.length < after + 2) return 'incomplete';
  if (bytes.toString('latin1', after, after + 2) !== '\r\n') return 'broken';
  const value = Buffer.from(bytes.subarray(end + 2, after));
  return { answer: { status, flags: words.slice(1), value }, length: after + 2 };
}
