// Gives buckets that belong to nobody to a cell, by compare-and-set on the map. Requests that come while one is under way
// share the next.
import type { BucketMap } from '../common/cell-client/buckets.ts';
import type { CellRecord } from '../common/cell-client/directory-messages.ts';
import { CoordinationError, type CoordinationSession } from '../common/coordination/coordination.ts';
import { hashKey } from '../common/hash.ts';
import { CoordinationAway, NoEnabledCell } from './errors.ts';
import { decodeBuckets, MAP, readCells, toBytes } from './map-nodes.ts';

/** Another discovery won that often in a row: something is wrong. */
const MAX_ATTEMPTS = 50;
/** Somebody waits for each assignment: a coordination that is away is told soon. */
const DEADLINE_MS = 3_000;

type Wanted = { bucket: number; near?: string | undefined };
type Waiting = Wanted & { resolve: (version: number) => void; reject: (error: unknown) => void };

export class Assigner {
  readonly #session: () => CoordinationSession;
  #waiting: Waiting[] = [];
  #running = false;

  /** @param session returns the session of now @throws CoordinationAway */
  constructor(session: () => CoordinationSession) {
    this.#session = session;
  }

  /**
   * Sees to it that a bucket belongs to a cell; does nothing when it does.
   * @param near the cell that it goes to if that is enabled
   * @returns the transaction number of a map in which it does
   * @throws NoEnabledCell, CoordinationAway
   */
  assign(bucket: number, near?: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bucket, near, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const version = await this.#assignAll(batch);
        for (const { resolve } of batch) resolve(version);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  async #assignAll(wanted: Wanted[]): Promise<number> {
    let problem = 'too many others change the map';
    const deadline = performance.now() + DEADLINE_MS;
    for (let attempt = 0; attempt < MAX_ATTEMPTS && performance.now() < deadline; attempt++) {
      const session = this.#session();
      try {
        const node = await session.get(MAP);
        if (!node) throw new CoordinationAway('the map is missing');
        const map = decodeBuckets(node);
        // Read after the map: a cell that is being forgotten is disabled before the map is touched.
        const changes = chooseCells(map, await readCells(session), wanted);
        if (changes.size === 0) return node.stat.mzxid;
        const stat = await session.set(MAP, toBytes(map.with(changes).encode()), node.stat.version);
        return stat.mzxid;
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        problem = error.message;
        // Nothing is lost by trying again when it is not known whether it took effect: what is assigned stays so.
        if (error.code !== 'bad-version' && error.code !== 'connection-loss') break;
      }
    }
    throw new CoordinationAway(problem);
  }
}

/**
 * Each unassigned bucket goes to the cell that it shall be near, if that is enabled, else to the enabled cell with the
 * fewest. A hash of bucket and name decides among equals.
 * @throws NoEnabledCell
 */
export function chooseCells(
  map: BucketMap,
  cells: readonly CellRecord[],
  wanted: readonly Wanted[],
): Map<number, string> {
  const counts = map.counts();
  const enabled = cells
    .filter(({ state }) => state === 'Enabled')
    .map(({ name }) => ({ name, buckets: counts.get(name) ?? 0 }));
  const changes = new Map<number, string>();
  for (const { bucket, near } of wanted) {
    if (map.cellOf(bucket) !== undefined || changes.has(bucket)) continue;
    const [fewest] = enabled.toSorted(
      (a, b) => a.buckets - b.buckets || tieBreak(bucket, a.name) - tieBreak(bucket, b.name),
    );
    const chosen = enabled.find(({ name }) => name === near) ?? fewest;
    if (!chosen) throw new NoEnabledCell();
    chosen.buckets++;
    changes.set(bucket, chosen.name);
  }
  return changes;
}

function tieBreak(bucket: number, cell: string): number {
  return hashKey(`${bucket}/${cell}`).position;
}
