// The client of HBase's data path: finds the server of a row, calls it, and owns all policy of trying again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import {
  ConnectionLost,
  HbaseError,
  HbaseUnavailable,
  mayHaveRun,
  ServerException,
  simpleName,
} from './errors.ts';
import { loadRegions, regionOf, type Region } from './regions.ts';

/** Between attempts; doubles from the first to the second. A region that moves is back in about a second. */
const MIN_DELAY_MS = 20;
const MAX_DELAY_MS = 500;
/** One attempt waits no longer, so that a dead server leaves time for another. */
const ATTEMPT_TIMEOUT_MS = 6_000;
/** When nobody says how long: longer than a region server's crash and recovery take. */
export const DEFAULT_DEADLINE_MS = 20_000;

export type HbaseOptions = {
  /** Masters or region servers, `host:port`. */
  bootstrap: readonly string[];
  logger?: Logger;
  metrics?: WorkloadMetrics | undefined;
  user?: string;
};

/** One attempt at a region's server. */
export type Attempt<T> = (connection: Connection, region: Region, timeoutMs: number) => Promise<T>;

export class HbaseClient {
  readonly #bootstrap: readonly string[];
  readonly #logger: Logger | undefined;
  readonly #connections: Connections;
  readonly #retried: ((reason: string) => void) | undefined;
  readonly #regions = new Map<string, Lookup>();
  #closed = false;

  constructor({ bootstrap, logger, metrics, user = 'cellpost' }: HbaseOptions) {
    this.#bootstrap = bootstrap;
    this.#logger = logger;
    this.#connections = new Connections(user, metrics);
    this.#retried = metrics?.hbaseRetries();
  }

  /**
   * Runs attempts at the server of a row until one succeeds.
   * @param find which region it is; a reversed scan goes on in the one before a row
   * @throws HbaseUnavailable at the deadline; `mayHaveRun` tells whether an attempt may have taken effect
   * @throws ServerException of the class 'fail': another attempt would fail, too, and none has taken effect
   */
  async at<T>(
    table: string,
    row: Uint8Array,
    attempt: Attempt<T>,
    deadlineMs = DEFAULT_DEADLINE_MS,
    find: (regions: readonly Region[], row: Uint8Array) => Region = regionOf,
  ): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    let ran = false;
    let followed = false;
    let last: unknown;
    for (let tries = 0; !this.#closed && performance.now() < deadline; tries++) {
      let lookup: Lookup | undefined;
      let region: Region | undefined;
      let connection: Connection | undefined;
      try {
        const timeoutMs = Math.min(deadline - performance.now(), ATTEMPT_TIMEOUT_MS);
        lookup = this.#lookUp(table);
        // Mostly both are there: then nothing is waited for and no timer is set.
        region = find(lookup.regions ?? (await inTime(lookup.loading, timeoutMs)), row);
        connection =
          this.#connections.ready(region.server) ??
          (await inTime(this.#connections.get(region.server), timeoutMs));
        return await attempt(
          connection,
          region,
          Math.max(1, Math.min(timeoutMs, deadline - performance.now())),
        );
      } catch (error) {
        last = error;
        // Finding the server has no effect, whatever became of that.
        if (connection) ran ||= mayHaveRun(error);
        const cure = cureOf(error);
        if (cure === 'fail') {
          if (ran) break;
          throw error;
        }
        this.#retried?.(reasonOf(error));
        const movedTo = error instanceof ServerException ? error.movedTo : undefined;
        // Others who failed as this one did may have put in newer regions already: those stay.
        if (movedTo && region && movedTo !== region.server && !followed) {
          // Once: of a region that is no more, each of two servers may say that the other one has it.
          followed = true;
          region.server = movedTo;
        } else if (cure === 'relocate' && this.#regions.get(table) === lookup) this.#regions.delete(table);
        const pause =
          Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** Math.min(tries, 10)) * (0.75 + Math.random() / 2);
        await sleep(Math.max(0, Math.min(pause, deadline - performance.now())));
      }
    }
    const why =
      last instanceof Error ? last.message : this.#closed ? 'the client is closed' : 'no time was left';
    this.#logger?.warn({ table, why }, 'HBase did not answer in time');
    throw new HbaseUnavailable(`HBase did not answer in time: ${why}`, ran, last);
  }

  /** The regions of a table as far as they are known now. @throws ConnectionLost, HbaseError, ServerException */
  async regions(table: string): Promise<Region[]> {
    return await inTime(this.#lookUp(table).loading, ATTEMPT_TIMEOUT_MS);
  }

  /** The same, when they are known at once. */
  knownRegions(table: string): Region[] | undefined {
    return this.#regions.get(table)?.regions;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connections.close();
  }

  #lookUp(table: string): Lookup {
    const known = this.#regions.get(table);
    if (known) return known;
    const loading = loadRegions(this.#connections, this.#bootstrap, table, ATTEMPT_TIMEOUT_MS);
    const lookup: Lookup = { loading, regions: undefined };
    this.#regions.set(table, lookup);
    loading.then(
      (regions) => (lookup.regions = regions),
      () => this.#regions.get(table) === lookup && this.#regions.delete(table),
    );
    return lookup;
  }
}

/** The regions of a table, once they have been read. */
type Lookup = { loading: Promise<Region[]>; regions: Region[] | undefined };

/** A lost connection may mean that the server is gone, and its regions are elsewhere. */
function cureOf(error: unknown): 'retry' | 'relocate' | 'fail' {
  if (error instanceof ServerException) return error.cure;
  if (error instanceof ConnectionLost || error instanceof HbaseError) return 'relocate';
  return 'fail';
}

/** A server's exception goes by the last part of its class: there are some dozens of them. */
function reasonOf(error: unknown): string {
  if (error instanceof ServerException) return simpleName(error.className);
  return error instanceof Error ? error.name : 'unknown';
}

/** Others share the work, and have their own deadlines. */
async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectionLost('its server was not found in time', false)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
