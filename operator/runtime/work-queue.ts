// A queue of keys, after client-go's: a key is in it once however often it is added; a key that is being worked on is
// not given to a second worker, but comes again when it was added meanwhile.
import { RetryLimiter } from './rate-limit.ts';

export class WorkQueue {
  readonly #order: string[] = [];
  /** Wait for a worker, or for the one who has them to finish. */
  readonly #dirty = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #timers = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #limiter: RetryLimiter;
  readonly #waiters: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: { limiter?: RetryLimiter } = {}) {
    this.#limiter = options.limiter ?? new RetryLimiter();
  }

  get depth(): number {
    return this.#order.length;
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (!this.#processing.has(key)) this.#offer(key);
  }

  /** Adds the key later; of several such wishes the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = performance.now() + delayMs;
    const waiting = this.#timers.get(key);
    if (waiting && waiting.at <= at) return;
    if (waiting) clearTimeout(waiting.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, delayMs);
    timer.unref();
    this.#timers.set(key, { at, timer });
  }

  /** Adds a key that failed, after its back-off. @returns the delay in ms */
  retry(key: string): number {
    const delayMs = this.#limiter.delayMs(key);
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key has succeeded: its next failure starts from the shortest delay. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /** The next key, which must be given back by done(); undefined when the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#order.shift();
    if (key === undefined) return new Promise((resolve) => this.#waiters.push(resolve));
    return Promise.resolve(this.#hand(key));
  }

  done(key: string): void {
    this.#processing.delete(key);
    if (this.#dirty.has(key) && !this.#closed) this.#offer(key);
  }

  /** Drops what waits and lets workers end. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#order.length = 0;
    this.#dirty.clear();
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  #offer(key: string): void {
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter(this.#hand(key));
      return;
    }
    this.#order.push(key);
  }

  #hand(key: string): string {
    this.#dirty.delete(key);
    this.#processing.add(key);
    return key;
  }
}
