// How soon a key that failed may be tried again: each key backs off by itself, and all retries share a token bucket.

/** First delay of a key, and the longest: a cell that waits for people is still looked at every minute. */
const BASE_DELAY_MS = 250;
const MAX_DELAY_MS = 60_000;
/** Retries a second over all keys, and how many may come at once: an outage of all cells must not become a storm. */
const RETRIES_PER_SECOND = 50;
const BURST = 100;
/** Retries that wait for their turn at most: a key that is looked at again for another reason gives its turn back to nobody. */
const MAX_DEBT = RETRIES_PER_SECOND * (MAX_DELAY_MS / 1000);

export class RetryLimiter {
  readonly #failures = new Map<string, number>();
  readonly #now: () => number;
  #tokens = BURST;
  #filledAt: number;

  /** @param now a steady clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#filledAt = now();
  }

  /** How long this key waits before its next try; each call counts as a failure. */
  delayMs(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const own = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** Math.min(failures, 30));
    return Math.max(own, this.#reserve());
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Takes a token, if need be one of the future. */
  #reserve(): number {
    const now = this.#now();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * RETRIES_PER_SECOND);
    this.#filledAt = now;
    this.#tokens = Math.max(-MAX_DEBT, this.#tokens - 1);
    return this.#tokens >= 0 ? 0 : (-this.#tokens / RETRIES_PER_SECOND) * 1000;
  }
}
