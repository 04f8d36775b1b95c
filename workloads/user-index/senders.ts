// Whose the address of a sender is. Most senders are no users of the platform, and that is remembered, too.
import { LRUCache } from 'lru-cache';
import type { Cells } from '../common/cell-client/cells.ts';

/** Addresses that are nobody's; one that gets a user is nobody's for so long. */
const MAX_STRANGERS = 100_000;
const STRANGER_TTL_MS = 30_000;
/** Shorter than whoever asks waits: a cell that is away must not look like an index that is. */
const RESOLVE_DEADLINE_MS = 100;

export class Senders {
  readonly #cells: Pick<Cells, 'resolveAddress'>;
  readonly #strangers = new LRUCache<string, true>({ max: MAX_STRANGERS, ttl: STRANGER_TTL_MS });

  constructor(cells: Pick<Cells, 'resolveAddress'>) {
    this.#cells = cells;
  }

  /**
   * @param address a normalized address
   * @returns the user's id, or undefined when it is nobody's
   * @throws what requests to cells throw
   */
  async userOf(address: string): Promise<string | undefined> {
    if (this.#strangers.has(address)) return undefined;
    const userId = await this.#cells.resolveAddress(address, false, RESOLVE_DEADLINE_MS);
    if (userId === undefined) this.#strangers.set(address, true);
    return userId;
  }
}
