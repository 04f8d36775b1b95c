/**
 * Works on items side by side, at most `width` at a time, and gives what comes of them, of each in its order. The first
 * error ends it.
 */
export async function* merged<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  width: number,
  work: (item: T) => AsyncIterable<R>,
): AsyncGenerator<R> {
  type Step = { running: AsyncIterator<R>; result: IteratorResult<R> };
  const under = new Map<AsyncIterator<R>, Promise<Step>>();
  const step = (running: AsyncIterator<R>): void => {
    const promise = running.next().then((result) => ({ running, result }));
    // One that fails is heard of in its turn, which may be later.
    promise.catch(() => undefined);
    under.set(running, promise);
  };
  const next = async function* (): AsyncGenerator<R> {
    const { running, result } = await Promise.race(under.values());
    under.delete(running);
    if (result.done) return;
    step(running);
    yield result.value;
  };
  try {
    for await (const item of items) {
      step(work(item)[Symbol.asyncIterator]());
      while (under.size >= width) yield* next();
    }
    while (under.size > 0) yield* next();
  } finally {
    // Those that run on end by themselves; their errors are of no interest any more.
    for (const running of under.keys()) void running.return?.().catch(() => undefined);
  }
}
