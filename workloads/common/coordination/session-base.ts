// What the two implementations of CoordinationSession share: states, deadlines, chroot, limits, watchers.
import type { Logger } from '../log.ts';
import type { Stopwatch } from '../metrics/durations.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import {
  CoordinationError,
  type CoordinationSession,
  type SessionState,
  type Stat,
  type WatchEvent,
  type Watcher,
  type Znode,
} from './coordination.ts';
import { checkData, checkPath } from './limits.ts';
import { WatchTable } from './watch-table.ts';

export type SessionOptions = {
  /** '' or an absolute path: all paths of the session are below it. */
  chroot: string;
  /** What is asked for; the server may grant another. */
  timeoutMs: number;
  logger?: Logger | undefined;
  metrics?: WorkloadMetrics | undefined;
};

/** How an operation ends; only the first call counts. */
export type Settle<T> = { resolve(value: T): void; reject(error: CoordinationError): void };

type Pending = { reject(error: CoordinationError): void };

type Operation = 'create' | 'get' | 'children' | 'set' | 'delete';

function stopwatches(metrics: WorkloadMetrics): Record<Operation, Stopwatch> {
  const of = (operation: Operation): Stopwatch => metrics.storeCall('zookeeper', operation);
  return {
    create: of('create'),
    get: of('get'),
    children: of('children'),
    set: of('set'),
    delete: of('delete'),
  };
}

export abstract class SessionBase implements CoordinationSession {
  abstract readonly sessionId: string;
  abstract readonly timeoutMs: number;
  protected readonly watches = new WatchTable();
  protected readonly logger: Logger | undefined;
  readonly #chroot: string;
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #pending = new Set<Pending>();
  readonly #stopwatches: Record<Operation, Stopwatch> | undefined;
  #state: SessionState = 'connecting';

  constructor(options: SessionOptions) {
    if (options.chroot) checkPath(options.chroot);
    this.#chroot = options.chroot === '/' ? '' : options.chroot;
    this.logger = options.logger;
    this.#stopwatches = options.metrics && stopwatches(options.metrics);
  }

  get state(): SessionState {
    return this.#state;
  }

  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  create(path: string, data: Uint8Array, options: { ephemeral?: boolean } = {}): Promise<void> {
    return this.#call('create', path, data, (full, settle: Settle<void>) =>
      this.sendCreate(full, data, options.ephemeral ?? false, settle),
    );
  }

  get(path: string, watcher?: Watcher): Promise<Znode | undefined> {
    return this.#call('get', path, undefined, (full, settle: Settle<Znode | undefined>) =>
      this.sendGet(full, watcher, settle),
    );
  }

  children(path: string, watcher?: Watcher): Promise<{ names: string[]; stat: Stat } | undefined> {
    return this.#call(
      'children',
      path,
      undefined,
      (full, settle: Settle<{ names: string[]; stat: Stat } | undefined>) =>
        this.sendChildren(full, watcher, settle),
    );
  }

  set(path: string, data: Uint8Array, expectedVersion?: number): Promise<Stat> {
    return this.#call('set', path, data, (full, settle: Settle<Stat>) =>
      this.sendSet(full, data, expectedVersion, settle),
    );
  }

  delete(path: string, expectedVersion?: number): Promise<void> {
    return this.#call('delete', path, undefined, (full, settle: Settle<void>) =>
      this.sendDelete(full, expectedVersion, settle),
    );
  }

  /** Creates each node of the chroot that is missing. */
  async makeChroot(): Promise<void> {
    for (let end = 1; end > 0;) {
      end = this.#chroot.indexOf('/', end);
      const path = end < 0 ? this.#chroot : this.#chroot.slice(0, end);
      if (!path) return;
      try {
        await this.#callAt('create', path, (settle: Settle<void>) =>
          this.sendCreate(path, new Uint8Array(), false, settle),
        );
      } catch (error) {
        if (!(error instanceof CoordinationError && error.code === 'node-exists')) throw error;
      }
      end++;
    }
  }

  abstract close(): Promise<void>;

  protected abstract sendCreate(
    path: string,
    data: Uint8Array,
    ephemeral: boolean,
    settle: Settle<void>,
  ): void;
  protected abstract sendGet(
    path: string,
    watcher: Watcher | undefined,
    settle: Settle<Znode | undefined>,
  ): void;
  protected abstract sendChildren(
    path: string,
    watcher: Watcher | undefined,
    settle: Settle<{ names: string[]; stat: Stat } | undefined>,
  ): void;
  protected abstract sendSet(
    path: string,
    data: Uint8Array,
    version: number | undefined,
    settle: Settle<Stat>,
  ): void;
  protected abstract sendDelete(path: string, version: number | undefined, settle: Settle<void>): void;

  /** Moves to a state and tells it; 'expired' and 'closed' are final and end every call under way. */
  protected become(state: SessionState): void {
    if (this.#state === state || this.#state === 'expired' || this.#state === 'closed') return;
    this.#state = state;
    if (state === 'expired' || state === 'closed') {
      this.watches.clear();
      for (const pending of this.#pending) pending.reject(endOf(state));
    }
    for (const listener of this.#listeners) this.#guard(() => listener(state));
  }

  /** Calls the watchers of an event; its path is the server's. */
  protected fire(event: WatchEvent): void {
    const inside = { type: event.type, path: this.#inside(event.path) };
    for (const watcher of this.watches.take(event)) this.#guard(() => watcher(inside));
  }

  #inside(path: string): string {
    return this.#chroot && path.startsWith(this.#chroot) ? path.slice(this.#chroot.length) || '/' : path;
  }

  /** A watcher or listener that throws is a bug of its owner's, and must not end the session of everybody else. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.logger) this.logger.error({ err: error }, 'a listener of the coordination session failed');
      else
        queueMicrotask(() => {
          throw error;
        });
    }
  }

  async #call<T>(
    operation: Operation,
    path: string,
    data: Uint8Array | undefined,
    send: (fullPath: string, settle: Settle<T>) => void,
  ): Promise<T> {
    checkPath(path);
    if (data) checkData(path, data);
    const full = path === '/' ? this.#chroot || '/' : this.#chroot + path;
    return this.#callAt(operation, path, (settle: Settle<T>) => send(full, settle));
  }

  #callAt<T>(operation: Operation, path: string, send: (settle: Settle<T>) => void): Promise<T> {
    if (this.#state === 'expired' || this.#state === 'closed') return Promise.reject(endOf(this.#state));
    const startedAt = performance.now();
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        this.#stopwatches?.[operation].since(startedAt);
        clearTimeout(timer);
        this.#pending.delete(pending);
      };
      const pending: Settle<T> = {
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const timer = setTimeout(
        () =>
          pending.reject(new CoordinationError('timeout', `${path}: no answer within ${this.timeoutMs} ms.`)),
        this.timeoutMs,
      );
      this.#pending.add(pending);
      send(pending);
    });
  }
}

function endOf(state: 'expired' | 'closed'): CoordinationError {
  return state === 'expired'
    ? new CoordinationError('session-expired', 'The coordination session has expired.')
    : new CoordinationError('closed', 'The coordination session is closed.');
}
