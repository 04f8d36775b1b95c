// How many requests a user has under way at once.
import { RequestError } from './errors.ts';

export class ConcurrencyLimit {
  readonly #limit: number;
  readonly #name: string;
  readonly #running = new Map<string, number>();

  /** @param name the limit as the session object calls it */
  constructor(name: string, limit: number) {
    this.#name = name;
    this.#limit = limit;
  }

  /** @throws RequestError limit */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key) ?? 0;
    if (running >= this.#limit)
      throw new RequestError('limit', `At most ${this.#limit} requests at once.`, { limit: this.#name });
    this.#running.set(key, running + 1);
    try {
      return await work();
    } finally {
      const left = (this.#running.get(key) ?? 1) - 1;
      if (left > 0) this.#running.set(key, left);
      else this.#running.delete(key);
    }
  }
}
