/**
 * Values by number of which each stays for a moment: calls that wait for their answers, sessions. Not a Map: V8's puts its entries
 * into a new table every few insertions, and each table refers to the next. Once one of them has outlived a collection of the whole heap,
 * so do all that follow, with everything that passes through them, until the next: collections of the young generation free nothing of it.
 */
export class NumberMap<T extends object> {
  #values: Record<number, T> = {};
  #size = 0;
  #added = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): T | undefined {
    return this.#values[number];
  }

  set(number: number, value: T): void {
    if (this.#values[number] === undefined) this.#size++;
    this.#values[number] = value;
  }

  /** For those who need no number: under the next one. Not to be used beside set(). @returns what removes it */
  add(value: T): () => void {
    const number = this.#added++;
    this.set(number, value);
    return () => void this.take(number);
  }

  /** Removes a value. @returns it, or undefined when there is none */
  take(number: number): T | undefined {
    const value = this.#values[number];
    if (value === undefined) return undefined;
    delete this.#values[number];
    this.#size--;
    return value;
  }

  /** By number, as they are now. */
  values(): T[] {
    return Object.values(this.#values);
  }

  clear(): void {
    this.#values = {};
    this.#size = 0;
  }
}
