// Work that has to go on for as long as a process lives, whatever becomes of others: each wait in it has a deadline. Where it
// stands still nevertheless, or has ended, only a new process can help, and health says so.
import { systemClock, type Clock } from './clock.ts';
import type { Verdict } from './http/health.ts';

/** Longer than any deadline of one step, and than what a machine that is too busy makes of it. */
const DEFAULT_LIMIT_MS = 60_000;

export class Pulse {
  readonly #what: string;
  readonly #limitMs: number;
  readonly #clock: Clock;
  #beatAt: number | undefined;

  /** @param what goes on: a phrase before "has not gone on for 60 s" */
  constructor(what: string, clock: Clock = systemClock, limitMs = DEFAULT_LIMIT_MS) {
    this.#what = what;
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** A step begins: the next one, or rest, is due within the limit. */
  beat(): void {
    this.#beatAt = this.#clock.now();
  }

  /** There is nothing to go on with. */
  rest(): void {
    this.#beatAt = undefined;
  }

  health(): Verdict {
    if (this.#beatAt === undefined) return true;
    const stillMs = this.#clock.now() - this.#beatAt;
    return stillMs <= this.#limitMs || `${this.#what} has not gone on for ${Math.floor(stillMs / 1_000)} s`;
  }
}

/** The first that is not well. */
export function allWell(parts: Iterable<{ health(): Verdict }>): Verdict {
  for (const part of parts) {
    const verdict = part.health();
    if (verdict !== true) return verdict;
  }
  return true;
}
