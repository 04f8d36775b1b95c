// A clock for tests of what waits: when nothing else is left to do, time jumps to the next timer.
import type { Clock, Timer } from '../../workloads/common/clock.ts';

export class VirtualClock implements Clock {
  /** Milliseconds since the start, and since 1970 plus `wallMs`. */
  time = 0;
  wallMs = 1_000_000;
  /** Time stands still. */
  stopped = false;
  #timers: { at: number; callback: () => void }[] = [];
  #pumping = false;

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.wallMs + this.time;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.time + delayMs, callback };
    this.#timers.push(timer);
    this.#pump();
    return { cancel: () => (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      const next = this.#timers.reduce(
        (first, one) => (one.at < first.at ? one : first),
        this.#timers[0] ?? none,
      );
      if (next === none || this.stopped) return;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      this.#pump();
    });
  }
}

const none = { at: Infinity, callback: () => undefined };
