// The heaviest keys of a stream in bounded memory: the space-saving sketch (Metwally, Agrawal, El Abbadi: Efficient Computation
// of Frequent and Top-k Elements in Data Streams, 2005). It has a fixed number of counters; a key that has none takes the
// smallest one over, with its count. So no count is too small, none is too large by more than that smallest count, and every
// key that weighs more than the whole stream divided by the number of counters is among them.

export type Heavy = {
  key: string;
  /** What it weighs at most. */
  count: number;
  /** How much of that may belong to keys that had the counter before. */
  error: number;
};

type Counter = Heavy & { place: number };

export class SpaceSaving {
  readonly #capacity: number;
  readonly #byKey = new Map<string, Counter>();
  /** A heap with the smallest count first. */
  readonly #heap: Counter[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** @param weight above zero */
  add(key: string, weight: number): void {
    let counter = this.#byKey.get(key);
    if (!counter && this.#heap.length < this.#capacity) {
      counter = { key, count: weight, error: 0, place: this.#heap.length };
      this.#heap.push(counter);
      this.#byKey.set(key, counter);
      this.#rise(counter);
      return;
    }
    if (!counter) {
      counter = this.#heap[0] as Counter;
      this.#byKey.delete(counter.key);
      this.#byKey.set(key, counter);
      counter.key = key;
      counter.error = counter.count;
    }
    counter.count += weight;
    this.#sink(counter);
  }

  /** All keys with a counter, in no order. */
  entries(): Heavy[] {
    return this.#heap.map(({ key, count, error }) => ({ key, count, error }));
  }

  #rise(counter: Counter): void {
    while (counter.place > 0) {
      const above = this.#heap[(counter.place - 1) >> 1] as Counter;
      if (above.count <= counter.count) return;
      this.#swap(above, counter);
    }
  }

  #sink(counter: Counter): void {
    for (;;) {
      const left = this.#heap[2 * counter.place + 1];
      const right = this.#heap[2 * counter.place + 2];
      const below = right && left && right.count < left.count ? right : left;
      if (!below || below.count >= counter.count) return;
      this.#swap(counter, below);
    }
  }

  #swap(above: Counter, below: Counter): void {
    const { place } = above;
    above.place = below.place;
    below.place = place;
    this.#heap[above.place] = above;
    this.#heap[below.place] = below;
  }
}
