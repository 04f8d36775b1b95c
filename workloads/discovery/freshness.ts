// For how long each source of what discovery knows has been out of reach.

const LOOK_EVERY_MS = 1_000;

export class Freshness {
  readonly #sources: () => (readonly [name: string, current: boolean])[];
  readonly #staleSince = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(sources: () => (readonly [name: string, current: boolean])[]) {
    this.#sources = sources;
    this.#timer = setInterval(() => this.staleSeconds(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Seconds by source; 0 for one that is current. */
  staleSeconds(): Map<string, number> {
    const now = performance.now();
    const seconds = new Map<string, number>();
    for (const [name, current] of this.#sources()) {
      if (current) this.#staleSince.delete(name);
      else if (!this.#staleSince.has(name)) this.#staleSince.set(name, now);
      seconds.set(name, (now - (this.#staleSince.get(name) ?? now)) / 1000);
    }
    return seconds;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
