// Long work beside questions: they have their turn after each third of a millisecond of it.
const TURN_MS = 0.3;

export class Turns {
  #beganAt = performance.now();

  isOver(): boolean {
    return performance.now() - this.#beganAt >= TURN_MS;
  }

  /** Lets whatever else waits in this process go on. */
  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#beganAt = performance.now();
  }
}
