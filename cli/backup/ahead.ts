/**
 * Opens streams for items some time before their turn comes, so that they have begun when it does.
 * @returns the items in their order, each with its stream, which must be read to its end before the next is asked for
 */
export async function* ahead<T, R>(
  items: AsyncIterable<T>,
  width: number,
  open: (item: T) => AsyncIterable<R>,
): AsyncGenerator<{ item: T; results: AsyncIterable<R> }> {
  const waiting: { item: T; begun: Begun<R> }[] = [];
  try {
    for await (const item of items) {
      waiting.push({ item, begun: new Begun(open(item)) });
      if (waiting.length < width) continue;
      const first = waiting.shift();
      if (first) yield { item: first.item, results: first.begun };
    }
    for (let first = waiting.shift(); first; first = waiting.shift())
      yield { item: first.item, results: first.begun };
  } finally {
    for (const { begun } of waiting) begun.letGo();
  }
}

/** A stream whose first result has been asked for. */
class Begun<R> implements AsyncIterable<R> {
  readonly #iterator: AsyncIterator<R>;
  #first: Promise<IteratorResult<R>> | undefined;

  constructor(iterable: AsyncIterable<R>) {
    this.#iterator = iterable[Symbol.asyncIterator]();
    this.#first = this.#iterator.next();
    // An error is heard of when its turn comes.
    this.#first.catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<R> {
    return {
      next: () => {
        const first = this.#first;
        this.#first = undefined;
        return first ?? this.#iterator.next();
      },
      return: async () => {
        await this.#iterator.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  letGo(): void {
    void this.#iterator.return?.().catch(() => undefined);
  }
}
