// A program that runs on some machine: it has clocks of its own, it can be stopped for a while, and it can be killed.
import type { Clock } from '../../workloads/common/clock.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** How much faster or slower a machine's clock may run: far more than real ones, less than what a lease allows for. */
const MAX_RATE_ERROR = 0.08;

/** How wrong a machine's time of day may be. */
const MAX_SKEW_MS = 5_000;

const START_OF_TIME = Date.UTC(2026, 0, 1);

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  #alive = true;
  #paused = false;
  #held: (() => void)[] = [];
  /** By how much somebody has set the time of day wrong. */
  #wallErrorMs = 0;

  constructor(world: World, name: string, random: Random) {
    this.name = name;
    this.#world = world;
    const rate = random.between(1 - MAX_RATE_ERROR, 1 + MAX_RATE_ERROR);
    const offset = random.between(0, 1e6);
    const skew = random.between(-MAX_SKEW_MS, MAX_SKEW_MS);
    this.clock = {
      now: () => offset + world.now * rate,
      wall: () => Math.round(START_OF_TIME + skew + this.#wallErrorMs + world.now * rate),
      after: (delayMs, callback) => {
        let cancelled = false;
        const timer = world.after(delayMs / rate, `${name} timer`, () =>
          this.run(() => {
            if (!cancelled) callback();
          }),
        );
        return {
          cancel: () => {
            cancelled = true;
            timer.cancel();
          },
        };
      },
    };
  }

  get isRunning(): boolean {
    return this.#alive && !this.#paused;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  /** Something reaches the program: now, when it goes on, or never. */
  run(work: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#held.push(work);
    else work();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const work of this.#held.splice(0)) this.#world.after(0, `${this.name} held`, () => this.run(work));
  }

  /** The time of day jumps; the clock that leases and deadlines go by does not. */
  jump(byMs: number): void {
    this.#wallErrorMs += byMs;
  }

  kill(): void {
    this.#alive = false;
    this.#held = [];
  }
}
