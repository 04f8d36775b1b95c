// The client of HBase's data path: finds the server of a row, calls it, and owns all policy of trying again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { ConnectionLost, HbaseError, HbaseUnavailable, ServerException } from './errors.ts';
import { loadRegions, regionOf, type Region } from './regions.ts';

/** Between attempts; doubles from the first to the second. A region that moves is back in about a second. */
const MIN_DELAY_MS = 20;
const MAX_DELAY_MS = 500;
/** One attempt waits no longer, so that a dead server leaves time for another. */
const ATTEMPT_TIMEOUT_MS = 10_000;
/** When nobody says how long: longer than a region server's crash and recovery take. */
const DEFAULT_DEADLINE_MS = 20_000;

export type HbaseOptions = {
  /** Masters or region servers, `host:port`. */
  bootstrap: readonly string[];
  logger?: Logger;
  user?: string;
};

/** One attempt at a region's server. */
export type Attempt<T> = (connection: Connection, region: Region, timeoutMs: number) => Promise<T>;

export class HbaseClient {
  readonly #bootstrap: readonly string[];
  readonly #logger: Logger | undefined;
  readonly #connections: Connections;
  readonly #regions = new Map<string, Promise<Region[]>>();
  #closed = false;

  constructor({ bootstrap, logger, user = 'cellpost' }: HbaseOptions) {
    this.#bootstrap = bootstrap;
    this.#logger = logger;
    this.#connections = new Connections(user);
  }

  /**
   * Runs attempts at the server of a row until one succeeds.
   * @throws HbaseUnavailable at the deadline; `mayHaveRun` tells whether an attempt may have taken effect
   * @throws ServerException of the class 'fail', HbaseError: another attempt would fail, too
   */
  async at<T>(
    table: string,
    row: Uint8Array,
    attempt: Attempt<T>,
    deadlineMs = DEFAULT_DEADLINE_MS,
  ): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    let mayHaveRun = false;
    let last: unknown;
    for (let tries = 0; ; tries++) {
      const left = deadline - performance.now();
      if (this.#closed || (tries > 0 && left <= 0)) break;
      try {
        const timeoutMs = Math.max(1, Math.min(left, ATTEMPT_TIMEOUT_MS));
        const region = regionOf(await this.#regionsOf(table, timeoutMs), row);
        const connection = await this.#connections.get(region.server);
        return await attempt(connection, region, timeoutMs);
      } catch (error) {
        last = error;
        if (error instanceof ConnectionLost) mayHaveRun ||= error.mayHaveRun;
        const cure = cureOf(error);
        if (cure === 'fail') {
          // This attempt failed for good; an earlier one may have run.
          if (mayHaveRun) break;
          throw error;
        }
        if (cure === 'relocate') this.#regions.delete(table);
        const pause =
          Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** Math.min(tries, 10)) * (0.75 + Math.random() / 2);
        await sleep(Math.max(0, Math.min(pause, deadline - performance.now())));
      }
    }
    const why = last instanceof Error ? last.message : 'the client is closed';
    this.#logger?.warn({ table, why }, 'HBase did not answer in time');
    throw new HbaseUnavailable(`HBase did not answer in time: ${why}`, mayHaveRun, last);
  }

  /** The regions of a table as far as they are known now. */
  async regions(table: string): Promise<Region[]> {
    return await this.#regionsOf(table, ATTEMPT_TIMEOUT_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connections.close();
  }

  #regionsOf(table: string, timeoutMs: number): Promise<Region[]> {
    const known = this.#regions.get(table);
    if (known) return known;
    const loading = loadRegions(this.#connections, this.#bootstrap, table, timeoutMs).catch(
      (error: unknown) => {
        if (this.#regions.get(table) === loading) this.#regions.delete(table);
        // Finding a region has no effect, whatever became of the call.
        throw error instanceof ConnectionLost ? new ConnectionLost(error.message, false) : error;
      },
    );
    this.#regions.set(table, loading);
    return loading;
  }
}

/** A lost connection may mean that the server is gone, and its regions are elsewhere. */
function cureOf(error: unknown): 'retry' | 'relocate' | 'fail' {
  if (error instanceof ServerException) return error.cure;
  if (error instanceof ConnectionLost || error instanceof HbaseError) return 'relocate';
  return 'fail';
}
