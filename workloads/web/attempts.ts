// How often sign-ins may fail: a bucket of attempts for each address and for each client, in bounded memory.
import { LRUCache } from 'lru-cache';

export type Allowance = {
  /** Failures in a row. */
  burst: number;
  /** After these, one more each so many milliseconds. */
  refillMs: number;
};

/** Records kept of each kind; the longest untouched goes first. */
const MAX_RECORDS = 50_000;

type Used = { count: number; atMs: number };

export class Attempts {
  readonly #allowance: Allowance;
  readonly #now: () => number;
  readonly #used = new LRUCache<string, Used>({ max: MAX_RECORDS });

  constructor(allowance: Allowance, now: () => number) {
    this.#allowance = allowance;
    this.#now = now;
  }

  /** @returns 0 when there is an attempt left */
  blockedForMs(who: string): number {
    const { count, atMs } = this.#current(who);
    if (count < this.#allowance.burst) return 0;
    return Math.max(1, atMs + this.#allowance.refillMs - this.#now());
  }

  /** Takes an attempt before its outcome is known, so that many at once don't pass together. */
  take(who: string): void {
    const { count, atMs } = this.#current(who);
    this.#used.set(who, { count: count + 1, atMs: count === 0 ? this.#now() : atMs });
  }

  /** Gives an attempt back: it succeeded, or nothing was found out. */
  giveBack(who: string): void {
    const { count, atMs } = this.#current(who);
    if (count <= 1) this.#used.delete(who);
    else this.#used.set(who, { count: count - 1, atMs });
  }

  #current(who: string): Used {
    const now = this.#now();
    const last = this.#used.get(who);
    if (!last) return { count: 0, atMs: now };
    const refilled = Math.floor((now - last.atMs) / this.#allowance.refillMs);
    const count = Math.max(0, last.count - refilled);
    return { count, atMs: count === 0 ? now : last.atMs + refilled * this.#allowance.refillMs };
  }
}
