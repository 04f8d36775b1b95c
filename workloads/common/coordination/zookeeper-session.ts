// A session with ZooKeeper over npm `zookeeper` (ZooKeeper's own C client). What that client does of its own accord:
// pings, reconnecting, setting watches again after a reconnect. What it needs help with is told where it is helped.
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CoordinationError,
  type CoordinationErrorCode,
  type Stat,
  type WatchEvent,
  type Watcher,
  type Znode,
} from './coordination.ts';
import { SessionBase, type SessionOptions, type Settle } from './session-base.ts';
import type { NativeClient, NativeClientClass, NativeStat } from './zookeeper-client.ts';

/**
 * The client counts reads of its socket that brought no whole answer and gives its session up at a limit (10 unless
 * told otherwise): an answer of 1 MB easily takes more. So the limit is out of reach.
 */
const NEVER = 2 ** 31 - 1;
/** Nothing: the client writes its log to standard output, whoever owns that. */
const LOG_NOTHING = 0;
/**
 * When the very first attempt fails at once (a refused connection, an unknown host name), the client stops for good
 * without a word. The same may happen when it connects again, as while servers elect a leader: they refuse it. So another
 * client is made that often; it goes on with the session if there is one.
 */
const CONNECTION_MS = 2_000;
const EPHEMERAL = 1;
const ANY_VERSION = -1;

const OK = 0;
const NO_NODE = -101;
const CODES: Record<number, CoordinationErrorCode> = {
  [-4]: 'connection-loss',
  [-7]: 'timeout',
  /** The client's handle is gone: expired or closed, which our own state says more exactly. */
  [-9]: 'connection-loss',
  [NO_NODE]: 'no-node',
  [-103]: 'bad-version',
  [-110]: 'node-exists',
  [-111]: 'not-empty',
  [-112]: 'session-expired',
  /** The client was closed. When that is the end of the session, everybody has been told before. */
  [-116]: 'connection-loss',
};
const EVENT_TYPES: Record<number, WatchEvent['type']> = {
  1: 'created',
  2: 'deleted',
  3: 'changed',
  4: 'children',
};
/** The client's word for an expired session in its 'close' event. */
const EXPIRED = -112;

export class ZooKeeperSession extends SessionBase {
  readonly #make: NativeClientClass;
  readonly #servers: string;
  readonly #askedMs: number;
  #client: NativeClient;
  #sessionId = '';
  #password = '';
  #grantedMs = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  /**
   * One for all: the binding never frees the callback of a watch, and calls it also when the connection comes and goes
   * (type -1). Whose the event is stands in our own table.
   */
  readonly #onWatch = (type: number, _state: number, path: string): void => {
    const name = EVENT_TYPES[type];
    if (name) this.#tell(name, path);
  };
  /** What those who watch have seen: `kind path` to the number of the last change. For a client that takes over. */
  readonly #seen = new Map<string, number>();

  /** Starts to connect; see openCoordination for waiting until it has. @param servers `host:port,host:port` */
  constructor(make: NativeClientClass, servers: string, options: SessionOptions) {
    super(options);
    this.#make = make;
    this.#servers = servers;
    this.#askedMs = options.timeoutMs;
    this.#client = this.#start();
  }

  override get sessionId(): string {
    return this.#sessionId;
  }

  override get timeoutMs(): number {
    return this.#grantedMs || this.#askedMs;
  }

  override async close(): Promise<void> {
    if (this.state === 'closed' || this.state === 'expired') return;
    clearTimeout(this.#retryTimer);
    this.become('closed');
    // Closed within one of its own callbacks (every await of an answer goes on in one), the client forgets to tell the
    // server, and aborts the process when an event comes after it.
    await nextTurn();
    // Waits for the server's word, at most 1.5 s, and blocks while it does.
    this.#client.close();
  }

  protected override sendCreate(
    path: string,
    data: Uint8Array,
    ephemeral: boolean,
    settle: Settle<void>,
  ): void {
    this.#attempt(path, settle, (client) =>
      client.a_create(path, toBuffer(data), ephemeral ? EPHEMERAL : 0, (rc, message) => {
        if (rc === OK) settle.resolve();
        else settle.reject(toError(path, rc, message));
      }),
    );
  }

  protected override sendGet(
    path: string,
    watcher: Watcher | undefined,
    settle: Settle<Znode | undefined>,
  ): void {
    const done = (rc: number, message: string, stat: NativeStat | null, data: Buffer | null): void => {
      if (rc === OK && stat) {
        if (watcher) this.#watch('data', path, watcher, stat.mzxid);
        settle.resolve({ data: data ? new Uint8Array(data) : new Uint8Array(), stat: toStat(stat) });
      } else if (rc !== NO_NODE) settle.reject(toError(path, rc, message));
      else if (watcher) this.#watchForCreation(path, watcher, settle);
      else settle.resolve(undefined);
    };
    this.#attempt(path, settle, (client) =>
      watcher ? client.aw_get(path, this.#onWatch, done) : client.a_get(path, false, done),
    );
  }

  /** Reading a node that is not there leaves no watch in ZooKeeper; asking whether it exists does. */
  #watchForCreation(path: string, watcher: Watcher, settle: Settle<Znode | undefined>): void {
    this.#attempt(path, settle, (client) =>
      client.aw_exists(path, this.#onWatch, (rc, message) => {
        if (rc === NO_NODE) {
          this.watches.add('exists', path, watcher);
          settle.resolve(undefined);
        } else if (rc === OK) this.sendGet(path, watcher, settle);
        else settle.reject(toError(path, rc, message));
      }),
    );
  }

  protected override sendChildren(
    path: string,
    watcher: Watcher | undefined,
    settle: Settle<{ names: string[]; stat: Stat } | undefined>,
  ): void {
    const done = (rc: number, message: string, names: string[] | null, stat: NativeStat | null): void => {
      if (rc === OK && stat) {
        if (watcher) this.#watch('children', path, watcher, stat.pzxid);
        settle.resolve({ names: (names ?? []).sort(), stat: toStat(stat) });
      } else if (rc === NO_NODE) settle.resolve(undefined);
      else settle.reject(toError(path, rc, message));
    };
    this.#attempt(path, settle, (client) =>
      watcher
        ? client.aw_get_children2(path, this.#onWatch, done)
        : client.a_get_children2(path, false, done),
    );
  }

  protected override sendSet(
    path: string,
    data: Uint8Array,
    version: number | undefined,
    settle: Settle<Stat>,
  ): void {
    this.#attempt(path, settle, (client) =>
      client.a_set(path, toBuffer(data), version ?? ANY_VERSION, (rc, message, stat) => {
        if (rc === OK && stat) settle.resolve(toStat(stat));
        else settle.reject(toError(path, rc, message));
      }),
    );
  }

  protected override sendDelete(path: string, version: number | undefined, settle: Settle<void>): void {
    this.#attempt(path, settle, (client) =>
      client.a_delete_(path, version ?? ANY_VERSION, (rc, message) => {
        if (rc === OK) settle.resolve();
        else settle.reject(toError(path, rc, message));
      }),
    );
  }

  /** Starts a call; one that the client refuses by its return value never calls back. */
  #attempt<T>(path: string, settle: Settle<T>, start: (client: NativeClient) => number): void {
    const rc = start(this.#client);
    if (rc !== OK) settle.reject(toError(path, rc, 'refused by the client'));
  }

  /** A client for a new session, or for the one that there is already. */
  #start(): NativeClient {
    const client = new this.#make();
    const goesOn = this.#sessionId !== '';
    const isCurrent = (): boolean => this.#client === client;
    let wasConnected = false;
    client.on('connect', () => {
      if (!isCurrent()) return;
      clearTimeout(this.#retryTimer);
      this.#sessionId = client.client_id;
      this.#password = client.client_password;
      this.#grantedMs = client.timeout;
      if (goesOn && !wasConnected) this.#watchAgain();
      wasConnected = true;
      this.become('connected');
    });
    client.on('connecting', () => {
      if (!isCurrent() || this.state !== 'connected') return;
      // In time for a short session to live.
      this.#replaceAfter(Math.min(CONNECTION_MS, this.#grantedMs / 2));
      this.become('disconnected');
    });
    client.on('close', (_client: unknown, code: number) => {
      if (!isCurrent() || code !== EXPIRED) return;
      clearTimeout(this.#retryTimer);
      this.become('expired');
    });
    client.init({
      connect: this.#servers,
      timeout: this.#askedMs,
      debug_level: LOG_NOTHING,
      host_order_deterministic: false,
      response_counter_limit: NEVER,
      ...(goesOn ? { client_id: this.#sessionId, client_password: this.#password } : {}),
    });
    this.#replaceAfter(CONNECTION_MS);
    return client;
  }

  /** Makes another client unless this one connects in time. */
  #replaceAfter(patienceMs: number): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      const before = this.#client;
      this.#client = this.#start();
      before.close();
    }, patienceMs);
  }

  #watch(kind: 'data' | 'children', path: string, watcher: Watcher, zxid: number): void {
    const name = `${kind} ${path}`;
    this.#seen.set(name, Math.min(zxid, this.#seen.get(name) ?? zxid));
    this.watches.add(kind, path, watcher);
  }

  #tell(type: WatchEvent['type'], path: string): void {
    if (type !== 'children') this.#seen.delete(`data ${path}`);
    if (type === 'children' || type === 'deleted') this.#seen.delete(`children ${path}`);
    this.fire({ type, path });
  }

  /** The server watches for a client, not for a session: another one asks for what changed, and to be told the rest. */
  #watchAgain(): void {
    const ask = (kind: 'data' | 'children', path: string) => (rc: number, stat: NativeStat | null) => {
      const zxid = kind === 'data' ? stat?.mzxid : stat?.pzxid;
      if (rc === NO_NODE) this.#tell('deleted', path);
      else if (rc === OK && zxid !== this.#seen.get(`${kind} ${path}`))
        this.#tell(kind === 'data' ? 'changed' : 'children', path);
    };
    for (const path of this.watches.paths('data')) {
      const answered = ask('data', path);
      this.#client.aw_exists(path, this.#onWatch, (rc, _message, stat) => answered(rc, stat));
    }
    for (const path of this.watches.paths('children')) {
      const answered = ask('children', path);
      this.#client.aw_get_children2(path, this.#onWatch, (rc, _message, _names, stat) => answered(rc, stat));
    }
    for (const path of this.watches.paths('exists')) {
      this.#client.aw_exists(path, this.#onWatch, (rc) => {
        if (rc === OK) this.#tell('created', path);
      });
    }
  }
}

function toError(path: string, rc: number, message: string): CoordinationError {
  return new CoordinationError(CODES[rc] ?? 'rejected', `${path}: ${message} (${rc}).`);
}

function toStat({ czxid, mzxid, pzxid, version, ephemeralOwner }: NativeStat): Stat {
  return { czxid, mzxid, pzxid, version, ephemeralOwner };
}

function toBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.length);
}
