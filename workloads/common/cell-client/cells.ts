// The client library of the cells: whoever wants something of a user's app server goes through it.
import { LRUCache } from 'lru-cache';
import type { Verdict } from '../http/health.ts';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { Aliases } from './aliases.ts';
import type { Where } from './directory.ts';
import type { CellRecord } from './directory-messages.ts';
import { DiscoveryClient } from './discovery-client.ts';
import { CellDisabled, Unassigned, Unavailable } from './errors.ts';
import { DirectoryFollower } from './follower.ts';
import { readNodes, type NodeInfo } from './nodes.ts';
import { type Attempt, type CellResponse, type Policy, type RequestOptions, Sender } from './sender.ts';
import { addressKey, userKey } from '../keys.ts';
import { isServedIn } from '../moves/copy-log.ts';
import { moveKey } from '../moves/move-key.ts';
import { claimAddress, createUser, type NewUser, newUserId, readAddress } from './users.ts';

/** How long an address is taken to be whose it was. Addresses hardly ever change hands, and who was not found by the right one says so. */
const ADDRESS_TTL_MS = 60_000;
const MAX_ADDRESSES = 10_000;
const DEADLINE_MS = 15_000;
/** A bucket that was just assigned is on its way. */
const ASSIGNMENT_DEADLINE_MS = 5_000;
/** Of ids for a new user: among a hundred cells one in a hundred is of the right cell. */
const MAX_DRAWS = 5_000;

export interface Cells {
  /** True once the map is known; until then everything waits for it. */
  isReady(): boolean;
  /** Not well when the map is not followed any more; an outage of discovery is no such thing. */
  health(): Verdict;
  /** Where a key is served now, from memory. @throws Unassigned, CellDisabled, Unavailable */
  where(key: string): Promise<Where>;
  /** See Sender.send. */
  request(key: string, options: RequestOptions): Promise<CellResponse>;
  /** Requests that go another way than HTTP, with the same retries. See Sender.withOwner. */
  withOwner<T>(key: string, policy: Policy, attempt: Attempt<T>): Promise<{ response: T; attempts: number }>;
  /**
   * @param address a normalized address
   * @param isFresh asks whoever knows, instead of taking an answer of a minute ago
   * @returns undefined when it belongs to nobody
   * @throws what `request` throws
   */
  resolveAddress(address: string, isFresh?: boolean, deadlineMs?: number): Promise<string | undefined>;
  /** Further addresses of users. */
  readonly aliases: Aliases;
  /** @returns the new user's id @throws AddressTaken, Unavailable */
  createUser(user: NewUser): Promise<string>;
  /** See Sender.sendToCell. */
  requestCell(cell: string, options: RequestOptions & { idempotent: true }): Promise<CellResponse>;
  /** The names of all cells, whatever their state. */
  cellNames(): Promise<string[]>;
  /** What the map says of each cell. */
  cellRecords(): Promise<CellRecord[]>;
  /** Sees to it that a key's bucket belongs to a cell, so that a log can begin there: to that of the key `near`, if it can. @throws Unavailable */
  assign(key: string, near?: string): Promise<void>;
  /** Gives an address to a user. @returns false when another has it */
  claimAddress(address: string, userId: string): Promise<boolean>;
  /** Adds a cell to the map or changes it. */
  putCell(name: string, record: Omit<CellRecord, 'name'>): Promise<void>;
  /** Asks and changes discovery itself: where buckets and keys are. */
  readonly discovery: DiscoveryClient;
  /** The app servers that are on the rings of the cells as far as that is known now, whatever their state. */
  appServers(): { cell: string; url: string }[];
  /** The app servers of all cells. */
  nodes(): Promise<NodeInfo[]>;
  close(): Promise<void>;
}

export type CellsOptions = { discoveryUrl: string; token: string; logger: Logger; metrics?: WorkloadMetrics };

/** Resolves at once; discovery need not be there yet. */
export async function openCells(options: CellsOptions): Promise<Cells> {
  return new DiscoveredCells(options);
}

class DiscoveredCells implements Cells {
  readonly #token: string;
  readonly discovery: DiscoveryClient;
  readonly aliases: Aliases;
  readonly #follower: DirectoryFollower;
  readonly #sender: Sender;
  readonly #addresses = new LRUCache<string, string>({ max: MAX_ADDRESSES, ttl: ADDRESS_TTL_MS });

  readonly #addressAsked: ((isHit: boolean) => void) | undefined;

  constructor(options: CellsOptions) {
    this.#addressAsked = options.metrics?.cache('addresses');
    this.#token = options.token;
    this.discovery = new DiscoveryClient(options.discoveryUrl, options.token, options.metrics);
    this.#follower = new DirectoryFollower(options);
    this.#sender = new Sender(
      this.#follower,
      options.token,
      (key) => this.discovery.isUnassigned(key),
      options.metrics,
    );
    this.aliases = new Aliases((key, request) => this.#sender.send(key, request), this.#sendAssigned);
  }

  isReady(): boolean {
    return this.#follower.known;
  }

  health(): Verdict {
    return this.#follower.health();
  }

  async where(key: string): Promise<Where> {
    await this.#follower.ready(DEADLINE_MS);
    if (this.#isUnassigned(key)) {
      if (await this.discovery.isUnassigned(key)) throw new Unassigned(key);
      await this.#awaitAssignment(key);
    }
    const where = this.#follower.directory.where(key);
    if (!('problem' in where)) return where;
    if (where.problem === 'unassigned') throw new Unassigned(key);
    if (where.problem === 'cell-disabled') throw new CellDisabled(where.cell, where.state);
    throw new Unavailable(`Cell ${where.cell} has no app server that serves at the moment.`);
  }

  withOwner<T>(key: string, policy: Policy, attempt: Attempt<T>): Promise<{ response: T; attempts: number }> {
    return this.#sender.withOwner(key, policy, attempt);
  }

  request(key: string, options: RequestOptions): Promise<CellResponse> {
    return this.#sender.send(key, options);
  }

  async resolveAddress(address: string, isFresh = false, deadlineMs?: number): Promise<string | undefined> {
    const known = isFresh ? undefined : this.#addresses.get(address);
    this.#addressAsked?.(known !== undefined);
    if (known !== undefined) return known;
    this.#addresses.delete(address);
    try {
      const within = deadlineMs === undefined ? {} : { deadlineMs };
      const userId = await readAddress(
        (key, options) => this.#sender.send(key, { ...options, ...within }),
        address,
      );
      if (userId !== undefined) this.#addresses.set(address, userId);
      return userId;
    } catch (error) {
      if (error instanceof Unassigned) return undefined;
      throw error;
    }
  }

  async createUser(user: NewUser): Promise<string> {
    return createUser(this.#sendAssigned, (address) => this.#userIdNear(address), user);
  }

  claimAddress(address: string, userId: string): Promise<boolean> {
    return claimAddress(this.#sendAssigned, address, userId);
  }

  requestCell(cell: string, options: RequestOptions & { idempotent: true }): Promise<CellResponse> {
    return this.#sender.sendToCell(cell, options);
  }

  async cellNames(): Promise<string[]> {
    return (await this.cellRecords()).map(({ name }) => name);
  }

  async cellRecords(): Promise<CellRecord[]> {
    await this.#follower.ready(DEADLINE_MS);
    return this.#follower.directory.cells();
  }

  putCell(name: string, record: Omit<CellRecord, 'name'>): Promise<void> {
    return this.discovery.putCell(name, record);
  }

  appServers(): { cell: string; url: string }[] {
    return this.#follower.directory
      .cells()
      .flatMap(({ name, ring }) => (ring?.members ?? []).map(({ url }) => ({ cell: name, url })));
  }

  async nodes(): Promise<NodeInfo[]> {
    await this.#follower.ready(DEADLINE_MS);
    return readNodes(this.#follower.directory, this.#token);
  }

  async close(): Promise<void> {
    await this.#follower.close();
    await this.#sender.close();
  }

  async assign(key: string, near?: string): Promise<void> {
    await this.#follower.ready(DEADLINE_MS);
    if (!this.#isUnassigned(key)) return;
    await this.discovery.assign(key, near);
    await this.#awaitAssignment(key);
  }

  readonly #sendAssigned = async (key: string, options: RequestOptions) => {
    await this.assign(key);
    const response = await this.#sender.send(key, options);
    if (options.method === 'PUT') await this.#confirm(key, response.cell);
    return response;
  };

  /**
   * The bucket may have gone to another cell while a log was begun in this one: then the map must say where it is. Whoever
   * moves the bucket may have found it already: then it is, or will be, where the map says.
   */
  async #confirm(key: string, cell: string): Promise<void> {
    const placed = await this.discovery.cellOf(key);
    if (placed === undefined || placed === cell || !(await isServedIn(this, key, cell))) return;
    await this.discovery.putException(key, cell, true);
    // It ended in between: the exception came too late, and takes the key back to where it no longer is.
    if (!(await isServedIn(this, key, cell))) await moveKey(this, key, placed);
  }

  /**
   * An id for a new user that lies in the cell of their address, so that no other cell is needed to take their mail and to
   * sign them in. While that cell takes no new users, the id is of one that does.
   */
  async #userIdNear(address: string): Promise<string> {
    const near = addressKey(address);
    await this.assign(near);
    const { directory } = this.#follower;
    const isOpen = (cell: string | undefined): boolean =>
      cell !== undefined && directory.cell(cell)?.state === 'Enabled';
    const home = directory.cellOf(near);
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const userId = newUserId();
      const cell = directory.cellOf(userKey(userId));
      if (cell === undefined) {
        await this.assign(userKey(userId), near);
        return userId;
      }
      if (isOpen(home) ? cell === home : isOpen(cell)) return userId;
    }
    return newUserId();
  }

  #isUnassigned(key: string): boolean {
    const where = this.#follower.directory.where(key);
    return 'problem' in where && where.problem === 'unassigned';
  }

  async #awaitAssignment(key: string): Promise<void> {
    const deadline = performance.now() + ASSIGNMENT_DEADLINE_MS;
    while (this.#isUnassigned(key)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Unavailable(`${key} was given a cell, but the map has not come.`);
      await this.#follower.changed(leftMs);
    }
  }
}
