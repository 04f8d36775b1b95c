// Keeps a client from making an outage worse: retries may add only so much to what it sends anyway.

/** Retries for each request that was made. */
const PER_REQUEST = 0.2;
/** Retries a second that are always free: a quiet client must get over a change of owner, too. */
const PER_SECOND = 20;
const MOST = 500;

export class RetryBudget {
  readonly #now: () => number;
  #tokens = MOST / 2;
  #at: number;

  /** @param now milliseconds on a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Says that a request is made that is no retry. */
  earn(): void {
    this.#tokens = Math.min(MOST, this.#tokens + PER_REQUEST);
  }

  /** @returns false when there is nothing left: the retry must wait */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(MOST, this.#tokens + ((now - this.#at) / 1000) * PER_SECOND);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
