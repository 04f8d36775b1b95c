// A session with the embedded coordinator. Reconnects by itself and attaches to its session again; a coordinator that
// was started anew does not know the session: then it has expired.
import { createConnection, type Socket } from 'node:net';
import { NumberMap } from '../number-map.ts';
import { CoordinationError, type Stat, type Watcher, type Znode } from './coordination.ts';
import { MAX_TIMEOUT_MS } from './limits.ts';
import {
  encodeFrame,
  FrameReader,
  type LocalRequest,
  type LocalResponse,
  type LocalResult,
  MAX_RESPONSE_BYTES,
  type ServerFrame,
} from './local-protocol.ts';
import { SessionBase, type SessionOptions, type Settle } from './session-base.ts';

const FIRST_RECONNECT_MS = 10;
const LONGEST_RECONNECT_MS = 250;
/** close() waits no longer than that for the server's word; the session then ends by its timeout. */
const CLOSE_DEADLINE_MS = 1_000;
/** Paths set again in one frame: far below the frame's limit even with the longest paths. */
const WATCHES_PER_FRAME = 500;

type Request = LocalRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;
type Call = { settle(result: LocalResult): void; reject(error: CoordinationError): void };

export class LocalSession extends SessionBase {
  readonly #socketPath: string;
  readonly #askedMs: number;
  #timeoutMs: number;
  #session = '';
  #secret = '';
  #socket: Socket | undefined;
  /** True from the server's welcome to the end of the connection. */
  #attached = false;
  #nextId = 1;
  #lastZxid = 0;
  #heardAt = 0;
  #reconnectMs = FIRST_RECONNECT_MS;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Requests that were sent, by number, in order. */
  readonly #sent = new NumberMap<Call>();
  /** Requests that wait for a connection. */
  #unsent: { request: Request; call: Call }[] = [];

  /** Starts to connect; see openCoordination for waiting until it has. */
  constructor(socketPath: string, options: SessionOptions) {
    super(options);
    this.#socketPath = socketPath;
    this.#askedMs = Math.min(options.timeoutMs, MAX_TIMEOUT_MS);
    this.#timeoutMs = this.#askedMs;
    this.#connect();
  }

  override get sessionId(): string {
    return this.#session;
  }

  override get timeoutMs(): number {
    return this.#timeoutMs;
  }

  override async close(): Promise<void> {
    if (this.state === 'closed' || this.state === 'expired') return;
    const answered = this.#attached
      ? new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
          const done = (): void => {
            clearTimeout(timer);
            resolve();
          };
          this.#send({ op: 'close' }, { settle: done, reject: done });
        })
      : Promise.resolve();
    this.become('closed');
    await answered;
    this.#end();
  }

  protected override sendCreate(
    path: string,
    data: Uint8Array,
    ephemeral: boolean,
    { resolve, reject }: Settle<void>,
  ): void {
    this.#send({ op: 'create', path, data: toBase64(data), ephemeral }, { settle: () => resolve(), reject });
  }

  protected override sendGet(
    path: string,
    watcher: Watcher | undefined,
    { resolve, reject }: Settle<Znode | undefined>,
  ): void {
    const settle = ({ node }: LocalResult): void => {
      if (watcher) this.watches.add(node ? 'data' : 'exists', path, watcher);
      resolve(node ? { data: fromBase64(node.data), stat: node.stat } : undefined);
    };
    this.#send({ op: 'get', path, watch: watcher !== undefined }, { settle, reject });
  }

  protected override sendChildren(
    path: string,
    watcher: Watcher | undefined,
    { resolve, reject }: Settle<{ names: string[]; stat: Stat } | undefined>,
  ): void {
    const settle = ({ names, stat }: LocalResult): void => {
      if (!names || !stat) return resolve(undefined);
      if (watcher) this.watches.add('children', path, watcher);
      return resolve({ names, stat });
    };
    this.#send({ op: 'children', path, watch: watcher !== undefined }, { settle, reject });
  }

  protected override sendSet(
    path: string,
    data: Uint8Array,
    version: number | undefined,
    { resolve, reject }: Settle<Stat>,
  ): void {
    const settle = ({ stat }: LocalResult): void => {
      if (stat) resolve(stat);
      else reject(new CoordinationError('rejected', `${path}: the coordinator sent no stat.`));
    };
    this.#send({ op: 'set', path, data: toBase64(data), version }, { settle, reject });
  }

  protected override sendDelete(
    path: string,
    version: number | undefined,
    { resolve, reject }: Settle<void>,
  ): void {
    this.#send({ op: 'delete', path, version }, { settle: () => resolve(), reject });
  }

  #send(request: Request, call: Call): void {
    if (!this.#attached || !this.#socket) {
      const waiting = { request, call };
      this.#unsent.push(waiting);
      // Its caller gives up after that time: then it must not be sent any more.
      setTimeout(() => {
        this.#unsent = this.#unsent.filter((one) => one !== waiting);
      }, this.#timeoutMs).unref();
      return;
    }
    const id = this.#nextId++;
    this.#sent.set(id, call);
    this.#socket.write(encodeFrame({ ...request, id }));
  }

  #connect(): void {
    const socket = createConnection(this.#socketPath);
    const reader = new FrameReader(MAX_RESPONSE_BYTES);
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#startHeartbeat();
    socket.on('connect', () => {
      const known = this.#session ? { session: this.#session, secret: this.#secret } : {};
      socket.write(encodeFrame({ hello: { timeoutMs: this.#askedMs, ...known } }));
    });
    socket.on('data', (chunk) => {
      this.#heardAt = performance.now();
      try {
        for (const frame of reader.push(chunk)) this.#receive(frame as ServerFrame);
      } catch (error) {
        this.logger?.warn({ err: error }, 'the coordinator sent what can not be read');
        socket.destroy();
      }
    });
    // 'close' always follows, and says all.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost(socket));
  }

  #receive(frame: ServerFrame): void {
    if ('welcome' in frame) this.#welcome(frame.welcome);
    else if ('gone' in frame) {
      this.become('expired');
      this.#end();
    } else if ('event' in frame) this.fire(frame.event);
    else this.#answer(frame);
  }

  #welcome(welcome: { session: string; secret: string; timeoutMs: number }): void {
    this.#session = welcome.session;
    this.#secret = welcome.secret;
    this.#timeoutMs = welcome.timeoutMs;
    this.#attached = true;
    this.#reconnectMs = FIRST_RECONNECT_MS;
    this.#startHeartbeat();
    this.#setWatchesAgain();
    this.become('connected');
    const waiting = this.#unsent;
    this.#unsent = [];
    for (const { request, call } of waiting) this.#send(request, call);
  }

  #setWatchesAgain(): void {
    const paths = (['data', 'exists', 'children'] as const).flatMap((kind) =>
      this.watches.paths(kind).map((path) => ({ kind, path })),
    );
    const ignore: Call = { settle: () => undefined, reject: () => undefined };
    for (let i = 0; i < paths.length; i += WATCHES_PER_FRAME) {
      const frame = { data: [] as string[], exists: [] as string[], children: [] as string[] };
      for (const { kind, path } of paths.slice(i, i + WATCHES_PER_FRAME)) frame[kind].push(path);
      this.#send({ op: 'watches', since: this.#lastZxid, ...frame }, ignore);
    }
  }

  #answer(response: LocalResponse): void {
    const call = this.#sent.take(response.id);
    if (!call) return;
    this.#lastZxid = Math.max(this.#lastZxid, response.zxid);
    if ('ok' in response) call.settle(response.ok);
    else call.reject(new CoordinationError(response.error, response.message));
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#attached = false;
    clearInterval(this.#heartbeat);
    for (const call of this.#sent.values())
      call.reject(new CoordinationError('connection-loss', 'The connection to the coordinator broke.'));
    this.#sent.clear();
    if (this.state === 'closed' || this.state === 'expired') return;
    if (this.state === 'connected') this.become('disconnected');
    this.#reconnectTimer = setTimeout(() => this.#connect(), this.#reconnectMs);
    this.#reconnectMs = Math.min(LONGEST_RECONNECT_MS, this.#reconnectMs * 2);
  }

  /** Like ZooKeeper's client: a ping each third of the timeout, another connection after two thirds of silence. */
  #startHeartbeat(): void {
    clearInterval(this.#heartbeat);
    const everyMs = this.#timeoutMs / 3;
    this.#heartbeat = setInterval(() => {
      if (performance.now() - this.#heardAt > everyMs * 2) this.#socket?.destroy();
      else if (this.#attached)
        this.#send({ op: 'ping' }, { settle: () => undefined, reject: () => undefined });
    }, everyMs);
  }

  #end(): void {
    clearTimeout(this.#reconnectTimer);
    clearInterval(this.#heartbeat);
    this.#unsent = [];
    this.#socket?.destroy();
  }
}

function toBase64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
