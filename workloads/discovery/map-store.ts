// Discovery's hold on its own coordination: reads it into the state, and changes it.
import type { CellRecord } from '../common/cell-client/directory-messages.ts';
import { CoordinationError, type CoordinationSession } from '../common/coordination/coordination.ts';
import { follow, type Follower } from '../common/coordination/follow.ts';
import { keepSession, type KeptSession } from '../common/coordination/keep-session.ts';
import type { Verdict } from '../common/http/health.ts';
import type { Logger } from '../common/log.ts';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { allWell } from '../common/pulse.ts';
import { Assigner } from './assigner.ts';
import { forgetCell, putCell } from './cell-records.ts';
import { CoordinationAway } from './errors.ts';
import { makeMapNodes, readMap, type ExceptionRecord } from './map-nodes.ts';
import {
  changeBuckets,
  deleteException,
  forgetMove,
  noteMove,
  putException,
  readExceptions,
  type BucketChange,
} from './placements.ts';
import type { DiscoveryState, MapState } from './state.ts';

/** How long a change waits until this process sees it, too. */
const CATCH_UP_DEADLINE_MS = 5_000;
const SETUP_RETRY_MS = 500;

export type MapStoreOptions = {
  url: string;
  timeoutMs: number;
  logger: Logger;
  metrics: WorkloadMetrics;
  state: DiscoveryState;
  /** Called after the state has taken a reading over. */
  onUpdate: (reading: MapState) => void;
};

export class MapStore {
  readonly #options: MapStoreOptions;
  readonly #kept: KeptSession;
  readonly #assigner: Assigner;
  #follower: Follower | undefined;
  #waiters: { version: number; resolve: () => void }[] = [];
  #closed = false;

  constructor(options: MapStoreOptions) {
    this.#options = options;
    this.#assigner = new Assigner(() => this.#session());
    this.#kept = keepSession(options.url, {
      timeoutMs: options.timeoutMs,
      logger: options.logger,
      metrics: options.metrics,
      onSession: (session) => void this.#begin(session),
    });
  }

  /** True while the map is known to be the newest. */
  get current(): boolean {
    return this.#follower?.current ?? false;
  }

  /** Why it is not, for people. */
  get problem(): string | undefined {
    return this.current ? undefined : (this.#kept.problem ?? 'the map is being read');
  }

  /** Not well when the map is neither followed nor tried to be. */
  health(): Verdict {
    return allWell(this.#follower ? [this.#kept, this.#follower] : [this.#kept]);
  }

  /** Sees to it that a bucket belongs to a cell: to `near`, if that is enabled. @throws NoEnabledCell, CoordinationAway */
  async assign(bucket: number, near?: string): Promise<void> {
    await this.#caughtUp(await this.#assigner.assign(bucket, near));
  }

  /** @returns true when the cell is new @throws CoordinationAway */
  async putCell(record: CellRecord): Promise<boolean> {
    const { made, version } = await this.#change((session) => putCell(session, record));
    await this.#caughtUp(version);
    return made;
  }

  exceptions(): Promise<Map<string, ExceptionRecord>> {
    return this.#change(readExceptions);
  }

  /** @throws Misplaced, CoordinationAway */
  async putException(key: string, record: ExceptionRecord, from: string | undefined): Promise<void> {
    await this.#caughtUp(await this.#change((session) => putException(session, key, record, from)));
  }

  /** @throws Misplaced, CoordinationAway */
  async deleteException(key: string, from: string | undefined): Promise<void> {
    await this.#caughtUp(await this.#change((session) => deleteException(session, key, from)));
  }

  /** @throws Misplaced, CoordinationAway */
  async noteMove(key: string, move: { from: string; to: string }): Promise<void> {
    await this.#caughtUp(await this.#change((session) => noteMove(session, key, move)));
  }

  /** @throws CoordinationAway */
  async forgetMove(key: string): Promise<void> {
    await this.#caughtUp(await this.#change((session) => forgetMove(session, key)));
  }

  /** @throws Misplaced, CoordinationAway */
  async changeBuckets(changes: readonly BucketChange[]): Promise<void> {
    await this.#caughtUp(await this.#change((session) => changeBuckets(session, changes)));
  }

  /** @returns false when there is no such cell @throws CellInUse, CoordinationAway */
  async forgetCell(name: string, withData: boolean): Promise<boolean> {
    const forgotten = await this.#change((session) => forgetCell(session, name, withData));
    this.#follower?.poke();
    return forgotten;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#follower?.close();
    await this.#kept.close();
  }

  #session(): CoordinationSession {
    const session = this.#kept.session;
    if (!session) throw new CoordinationAway(this.#kept.problem);
    return session;
  }

  async #change<T>(work: (session: CoordinationSession) => Promise<T>): Promise<T> {
    try {
      return await work(this.#session());
    } catch (error) {
      if (error instanceof CoordinationError) throw new CoordinationAway(error.message);
      throw error;
    }
  }

  async #begin(session: CoordinationSession): Promise<void> {
    this.#follower?.close();
    try {
      await makeMapNodes(session);
    } catch (error) {
      if (this.#closed || session.state === 'expired') return;
      this.#options.logger.warn({ err: error }, 'the map could not be made ready; trying again');
      setTimeout(() => void this.#begin(session), SETUP_RETRY_MS);
      return;
    }
    if (this.#closed) return;
    this.#follower = follow(session, {
      read: (watcher) => readMap(session, watcher),
      publish: (next) => this.#publish(next),
      onUnreadable: (error) =>
        this.#options.logger.error(
          { err: error },
          'the map can not be understood; answering from the last one',
        ),
    });
  }

  #publish(next: MapState): void {
    this.#options.state.update(next);
    this.#options.onUpdate(next);
    const ready = this.#waiters.filter(({ version }) => version <= next.version);
    this.#waiters = this.#waiters.filter(({ version }) => version > next.version);
    for (const { resolve } of ready) resolve();
  }

  /** Waits until this process has seen a transaction of its own, so that its next answer tells of it. */
  #caughtUp(version: number): Promise<void> {
    if (this.#options.state.directory.mapVersion >= version) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== mine);
        resolve();
      }, CATCH_UP_DEADLINE_MS);
      const mine = {
        version,
        resolve: (): void => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiters.push(mine);
    });
  }
}
