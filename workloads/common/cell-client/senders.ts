// Whose the address of a sender is. Most senders are no users of the platform, and that is remembered, too.
import { LRUCache } from 'lru-cache';
import type { Cells } from './cells.ts';

/** Addresses that are nobody's; one that gets a user is nobody's for so long. */
const MAX_STRANGERS = 100_000;
const STRANGER_TTL_MS = 30_000;

export class Senders {
  readonly #cells: Pick<Cells, 'resolveAddress'>;
  readonly #deadlineMs: number;
  readonly #strangers = new LRUCache<string, true>({ max: MAX_STRANGERS, ttl: STRANGER_TTL_MS });

  /** @param deadlineMs how long an answer is waited for */
  constructor(cells: Pick<Cells, 'resolveAddress'>, deadlineMs: number) {
    this.#cells = cells;
    this.#deadlineMs = deadlineMs;
  }

  /** Is the address known to be nobody's? */
  isStranger(address: string): boolean {
    return this.#strangers.has(address);
  }

  /**
   * @param address a normalized address
   * @returns the user's id, or undefined when it is nobody's
   * @throws what requests to cells throw
   */
  async userOf(address: string): Promise<string | undefined> {
    if (this.#strangers.has(address)) return undefined;
    const userId = await this.#cells.resolveAddress(address, false, this.#deadlineMs);
    if (userId === undefined) this.#strangers.set(address, true);
    return userId;
  }
}
