// One direction between two machines: messages take their time, in order or not, and are lost while it is cut.
import type { Random } from './random.ts';
import type { World } from './world.ts';

export class Link {
  cut = false;
  /** Multiplies delays. */
  slow = 1;
  readonly #world: World;
  readonly #random: Random;
  readonly #name: string;
  #lastAt = 0;

  constructor(world: World, name: string, random: Random) {
    this.#world = world;
    this.#name = name;
    this.#random = random.fork(name);
  }

  /** A message that may overtake others. */
  send(label: string, arrive: () => void, extraMs = 0): void {
    this.#deliver(label, arrive, this.#delay() + extraMs);
  }

  /** A message on a connection: it does not overtake those before it. */
  sendInOrder(label: string, arrive: () => void): void {
    const at = Math.max(this.#world.now + this.#delay(), this.#lastAt);
    this.#lastAt = at;
    this.#deliver(label, arrive, at - this.#world.now);
  }

  #deliver(label: string, arrive: () => void, delayMs: number): void {
    if (this.cut) return;
    this.#world.after(delayMs, `${this.#name} ${label}`, () => {
      if (!this.cut) arrive();
    });
  }

  #delay(): number {
    const random = this.#random;
    const usual = random.between(0.1, 2);
    return this.slow * (random.chance(0.02) ? usual + random.between(0, 150) : usual);
  }
}
