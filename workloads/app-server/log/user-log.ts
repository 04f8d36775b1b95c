// The logs of the users that this server owns: images that are opened by replay, changed by appends, evicted by size.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../common/clock.ts';
import { inParallel } from '../../common/parallel.ts';
import type { Logger } from '../../common/log.ts';
import { currentRequestId } from '../../common/request-id.ts';
import { tracePlace } from '../../common/tracing.ts';
import type { EntryCodec } from './entry-codec.ts';
import type { LogMetrics } from './log-metrics.ts';
import { StoreUnavailable, type LogStore } from './log-store.ts';
import { ReadAhead } from './read-ahead.ts';
import { appendSettled } from './settle.ts';
import { Overloaded } from './user-log-errors.ts';
import {
  KeyLog,
  type KeyLogEvents,
  type ReadFunction,
  type ReadRequest,
  type Settle,
  type WriteRequest,
} from './user-log-key.ts';
import { Replay, type LogParts } from './user-log-open.ts';
import { saveImage } from './user-log-snapshot.ts';
import { verifyImage, type OnReplay, type Verified } from './user-log-verify.ts';
import type { Fold, OwnershipGate, Transaction } from './user-log-types.ts';

/** Waiting for one key: some seconds of its appends. More would time out at their clients anyway. */
const MAX_WAITING_PER_KEY = 1_000;

/** Waiting in all: bounds the memory that requests hold while the store is away. */
export const MAX_WAITING = 20_000;

/** What an image takes beside its state: the objects around it, its key, its place in the cache. */
const IMAGE_OVERHEAD_BYTES = 1_024;

/** Snapshots stored at once on a planned leave. */
const PARALLEL_SAVES = 8;
/** Logs read ahead at once. With more, those who are served meanwhile wait longer than for the handover itself. */
const PARALLEL_READS_AHEAD = 3;

export type UserLogsOptions<S, A> = {
  store: LogStore;
  codec: EntryCodec<A>;
  fold: Fold<S, A>;
  gate: OwnershipGate;
  clock: Clock;
  /** Is the log served here, or was it moved away? Undefined: all are. */
  isServedHere?: ((state: S) => boolean) | undefined;
  /** How much memory the images may take by the fold's own count, those in use aside. */
  cacheBytes: number;
  logger?: Logger;
  metrics?: LogMetrics;
  /** Hears how each append ended: with an error when it is not known to be durable. */
  onStored?: (error: unknown) => void;
};

export class UserLogs<S, A> {
  readonly #parts: LogParts<S, A>;
  readonly #ahead: ReadAhead<S, A>;
  readonly #logger: Logger | undefined;
  readonly #events: KeyLogEvents<S, A> = {
    opened: (key, state) => {
      for (const listener of this.#openListeners) listener(key, state);
    },
    appended: (key, seq, state) => this.#tell(key, seq, state),
    taken: (count) => (this.#waiting -= count),
    idle: (log) => this.#rest(log),
    snapshotFailed: (key, error) => this.#logger?.warn({ err: error, key }, 'a snapshot failed'),
  };
  readonly #logs = new Map<string, KeyLog<S, A>>();
  /** Those of #logs that nobody uses just now. */
  readonly #idle: LRUCache<string, KeyLog<S, A>>;
  readonly #listeners = new Set<(key: string, seq: number, state: S) => void>();
  readonly #openListeners = new Set<(key: string, state: S) => void>();
  #waiting = 0;
  #written = 0;
  #closed = false;

  constructor({ cacheBytes, logger, ...parts }: UserLogsOptions<S, A>) {
    const nextWriter = () => ({ ...parts.gate.tenure(), number: ++this.#written });
    const onAppend = logger?.isLevelEnabled('debug')
      ? (key: string, seq: number, requestIds: readonly string[]) =>
          logger.debug({ key, seq, requestIds }, 'an entry is durable')
      : undefined;
    this.#parts = { ...parts, nextWriter, distrusted: new Set(), onAppend };
    this.#ahead = new ReadAhead(this.#parts);
    this.#logger = logger;
    this.#idle = new LRUCache({
      maxSize: cacheBytes,
      sizeCalculation: (log) => log.settle() + IMAGE_OVERHEAD_BYTES,
      dispose: (_log, key, reason) => {
        if (reason === 'evict') this.#logs.delete(key);
      },
    });
  }

  /**
   * Calls a function with the last durable state of a key, as of its entry `seq` (0: there is no log). The function may be
   * called again when it missed pages. An asynchronous one may hold the state as long as it likes: nobody changes it and
   * nobody waits for it; it looks at the state through `look`, which loads the pages that are missing.
   * @throws what the function throws; Misdirected, LeaseLost, Overloaded, StoreUnavailable, UnreadableEntry
   */
  read<T>(key: string, fn: ReadFunction<S, T>): Promise<T> {
    return this.#submit<T>(key, (settle) => ({ kind: 'read', fn, ...settle }));
  }

  /**
   * Calls a function that may add actions to the log of a key, and resolves with its result once they are durable. It must
   * be synchronous, and keep what it finds to itself until it returns: it is called again when it missed pages. One that
   * adds nothing appends nothing; one that throws writes nothing.
   * @throws what the function throws; EntryTooLarge; Misdirected, LeaseLost, Overloaded, StoreUnavailable: certainly not
   *   written; OutcomeUnknown: may be written
   */
  write<T>(key: string, fn: (tx: Transaction<S, A>) => T): Promise<T> {
    return this.#submit<T>(key, (settle) => ({ kind: 'write', fn, ...settle }));
  }

  /**
   * Forgets the images of some keys. From this call on no request is answered from them; the promise resolves when what
   * was under way for these keys is over. The gate is to refuse the keys before this is called.
   */
  async release(predicate: (key: string) => boolean): Promise<void> {
    const releases: Promise<void>[] = [];
    for (const [key, log] of this.#logs) {
      if (predicate(key)) releases.push(log.release().then(() => this.#rest(log)));
    }
    await Promise.all(releases);
  }

  /** Tells of each entry that became durable here, before its writers are answered. @returns what takes the listener off */
  onAppended(listener: (key: string, seq: number, state: S) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells of each log whose state was made here, before anybody is answered from it. @returns what takes the listener off */
  onOpened(listener: (key: string, state: S) => void): () => void {
    this.#openListeners.add(listener);
    return () => this.#openListeners.delete(listener);
  }

  stats(): { open: number; idleBytes: number; waiting: number } {
    let open = 0;
    for (const log of this.#logs.values()) if (log.isOpen) open++;
    return { open, idleBytes: this.#idle.calculatedSize, waiting: this.#waiting };
  }

  /** The keys whose images are in memory: first those in use, then by when they were last. */
  openKeys(): string[] {
    const idle = new Set(this.#idle.keys());
    const busy = Array.from(this.#logs.keys()).filter((key) => !idle.has(key));
    return [...busy, ...idle];
  }

  /**
   * Reads logs that another server serves and is about to hand over, so that they are opened sooner then. One that can't be
   * read is passed over.
   */
  async readAhead(keys: readonly string[]): Promise<void> {
    await inParallel(keys, PARALLEL_READS_AHEAD, async (key) => {
      if (this.#logs.get(key)?.isOpen) return;
      await this.#ahead.read(key).catch((error: unknown) => {
        this.#logger?.debug({ err: error, key }, 'a log was not read ahead');
      });
    });
  }

  /** Stores snapshots of the open logs that are worth it: those who open them next replay less. Ends at the deadline. */
  async saveSnapshots(deadlineMs: number): Promise<void> {
    const { clock } = this.#parts;
    const until = clock.now() + deadlineMs;
    await inParallel([...this.#logs.values()], PARALLEL_SAVES, async (log) => {
      if (clock.now() < until) await log.save();
    });
  }

  /**
   * Replays the whole log of a key and compares the result with the state that is served and with what the snapshot in the
   * store makes of it, reading every page of both. @throws as read
   */
  verify(key: string, onProgress: OnReplay): Promise<Verified> {
    return this.read(key, (state, seq, look) =>
      verifyImage(key, this.#parts, { state, seq }, look, onProgress),
    );
  }

  /**
   * Adds an action to a log that is not served here, so that it is from then on.
   * @param action undefined when it is served already
   * @returns the newest entry; 0 when there is no log
   * @throws Misdirected, when another one writes this log
   */
  async adopt(key: string, action: (state: S) => A | undefined): Promise<number> {
    const { store, codec, gate, clock, nextWriter } = this.#parts;
    gate.assertOwner(key);
    const replay = new Replay(key, this.#parts);
    for (let rows = await replay.read(); rows.length > 0; rows = await replay.read())
      await replay.apply(rows);
    const { state, seq, timeMs } = replay.image;
    const added = seq === 0 ? undefined : action(state);
    if (added === undefined) {
      // Another one may have added it, after this server had opened the log and found that it is served elsewhere.
      await this.release((open) => open === key);
      return seq;
    }
    const entry = codec.encode({
      timeMs: Math.max(timeMs, clock.wall()),
      writer: nextWriter(),
      actions: [added],
    });
    const append = { key, seq: seq + 1, entry, bodies: [] };
    const result = await appendSettled(store, clock, append, () => gate.assertOwner(key));
    await this.release((open) => open === key);
    if (result === 'conflict') throw gate.redirect(key);
    return seq + 1;
  }

  /**
   * Stores a snapshot of a log that is not served here (yet), without adding to the log: who opens it replays less.
   * @returns the newest entry in it
   */
  async prepare(key: string): Promise<number> {
    const replay = new Replay(key, this.#parts);
    await replay.fromSnapshot();
    for (let rows = await replay.read(); rows.length > 0; rows = await replay.read())
      await replay.apply(rows);
    const { seq, saved } = replay.image;
    if (seq > (saved?.seq ?? 0)) await saveImage(key, this.#parts, replay.image);
    return seq;
  }

  /** Makes the state of a key anew from its log, and a new snapshot. @returns the entry that it is of */
  async regenerate(key: string): Promise<number> {
    await this.#logs.get(key)?.distrust();
    await this.#parts.store.dropSnapshot(key);
    const seq = await this.read(key, (_state, last) => last);
    await this.#logs.get(key)?.save(1);
    return seq;
  }

  /** Refuses new requests, finishes those that wait. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#logs.values(), (log) => log.whenIdle()));
    this.#logs.clear();
    this.#idle.clear();
  }

  #submit<T>(key: string, request: (settle: Settle) => ReadRequest<S> | WriteRequest<S, A>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new StoreUnavailable('the logs are closed'));
      const log = this.#logs.get(key) ?? this.#newLog(key);
      if (log.waiting >= MAX_WAITING_PER_KEY || this.#waiting >= MAX_WAITING) {
        this.#rest(log);
        return reject(new Overloaded(`too many requests wait for ${key}`));
      }
      this.#idle.delete(key);
      this.#waiting++;
      this.#parts.metrics?.image(log.isOpen);
      log.submit(
        request({
          resolve: (value) => resolve(value as T),
          reject,
          requestId: currentRequestId(),
          place: tracePlace(),
        }),
      );
    });
  }

  #newLog(key: string): KeyLog<S, A> {
    const log = new KeyLog(key, this.#parts, this.#ahead, this.#events);
    this.#logs.set(key, log);
    return log;
  }

  /** Puts a log that nobody uses where it may be evicted. */
  #rest(log: KeyLog<S, A>): void {
    if (log.isBusy || this.#logs.get(log.key) !== log) return;
    if (log.isOpen) this.#idle.set(log.key, log);
    else this.#idle.delete(log.key);
    // An image that alone is larger than the cache is not taken in.
    if (!this.#idle.has(log.key)) this.#logs.delete(log.key);
  }

  #tell(key: string, seq: number, state: S): void {
    for (const listener of this.#listeners) {
      try {
        listener(key, seq, state);
      } catch (error) {
        this.#logger?.error({ err: error, key, seq }, 'a listener of appends failed');
      }
    }
  }
}
