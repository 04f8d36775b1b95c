// Something to wait on: "anything new since I looked?"
import type { Clock } from '../../common/clock.ts';

export class Changes {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  /** Wakes all who wait. */
  note(): void {
    this.#count++;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when there was a change since `count` was read, at the latest after so many milliseconds. */
  since(count: number, atMostMs: number): Promise<void> {
    if (count !== this.#count) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = this.#clock.after(atMostMs, wake);
      this.#waiting.add(wake);
    });
  }
}
