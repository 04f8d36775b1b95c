// One direction between two machines. Messages take their time. While it is cut, a message by itself is lost; one on a
// connection is sent again and again until it gets through, as TCP does, if the connection is still there by then.
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** How much later than the message itself its double may come: after whoever it was for has been replaced. */
const LATEST_DOUBLE_MS = 4_000;

export class Link {
  /** Multiplies delays. */
  slow = 1;
  /** How much longer a message by itself may take, so that others overtake it. */
  jitterMs = 0;
  /** How many messages by themselves come twice. */
  doubles = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #name: string;
  #lastAt = 0;
  #cut = false;
  readonly #held: { label: string; arrive: () => void }[] = [];

  constructor(world: World, name: string, random: Random) {
    this.#world = world;
    this.#name = name;
    this.#random = random.fork(name);
  }

  get cut(): boolean {
    return this.#cut;
  }

  set cut(cut: boolean) {
    this.#cut = cut;
    if (!cut) for (const message of this.#held.splice(0)) this.sendInOrder(message.label, message.arrive);
  }

  /** A message that may overtake others. */
  send(label: string, arrive: () => void, extraMs = 0): void {
    if (this.#cut) return;
    this.#deliver(label, arrive, extraMs);
    if (this.doubles === 0 || !this.#random.chance(this.doubles)) return;
    this.#deliver(`${label} again`, arrive, extraMs + this.#random.between(0, LATEST_DOUBLE_MS));
  }

  /** A message on a connection: it does not overtake those before it. */
  sendInOrder(label: string, arrive: () => void): void {
    if (this.#cut) {
      this.#held.push({ label, arrive });
      return;
    }
    const at = Math.max(this.#world.now + this.#delay(), this.#lastAt);
    this.#lastAt = at;
    this.#world.after(at - this.#world.now, `${this.#name} ${label}`, () => {
      if (this.#cut) this.#held.push({ label, arrive });
      else arrive();
    });
  }

  #deliver(label: string, arrive: () => void, extraMs: number): void {
    const jitterMs = this.jitterMs === 0 ? 0 : this.#random.between(0, this.jitterMs);
    this.#world.after(this.#delay() + jitterMs + extraMs, `${this.#name} ${label}`, () => {
      if (!this.#cut) arrive();
    });
  }

  #delay(): number {
    const random = this.#random;
    const usual = random.between(0.1, 2);
    return this.slow * (random.chance(0.02) ? usual + random.between(0, 150) : usual);
  }
}
