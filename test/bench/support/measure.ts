// Measuring: load of so many calls under way, contenders in alternating rounds, medians and percentiles.

export type Measured = {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  calls: number;
};

/**
 * Keeps `inFlight` calls under way for `durationMs`; a call that throws ends the benchmark. `call` gets the number of its
 * worker, 0 and up. What begins within the time counts, and the time ends with the last of it.
 */
export async function load(
  { inFlight, durationMs }: { inFlight: number; durationMs: number },
  call: (worker: number) => Promise<unknown>,
): Promise<Measured> {
  const times: number[] = [];
  const began = performance.now();
  const end = began + durationMs;
  const work = async (worker: number): Promise<void> => {
    for (let start = performance.now(); start < end;) {
      await call(worker);
      const now = performance.now();
      times.push(now - start);
      start = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)));
  return measured(times, performance.now() - began);
}

export type AtRate = {
  /** From when each call was due to when it was over. */
  fromDue: Measured;
  /** From when it began. */
  fromSent: Measured;
  /** From when it was due to when it began: this process's own delay. */
  late: Measured;
};

/** Calls at a fixed rate, whatever becomes of the calls before; one that throws ends the benchmark. */
export async function atRate(
  { ratePerSecond, durationMs }: { ratePerSecond: number; durationMs: number },
  call: () => Promise<unknown>,
): Promise<AtRate> {
  const [fromDue, fromSent, late]: [number[], number[], number[]] = [[], [], []];
  const under = new Set<Promise<void>>();
  const began = performance.now();
  const total = (ratePerSecond * durationMs) / 1_000;
  for (let asked = 0; asked < total;) {
    const elapsed = performance.now() - began;
    for (; asked < total && (asked * 1_000) / ratePerSecond <= elapsed; asked++) {
      const dueAt = began + (asked * 1_000) / ratePerSecond;
      const sentAt = performance.now();
      late.push(sentAt - dueAt);
      const one = call().then(() => {
        const now = performance.now();
        fromDue.push(now - dueAt);
        fromSent.push(now - sentAt);
        under.delete(one);
      });
      under.add(one);
    }
    // Timers are a millisecond coarse, which would be measured, too.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(under);
  const tookMs = performance.now() - began;
  return {
    fromDue: measured(fromDue, tookMs),
    fromSent: measured(fromSent, tookMs),
    late: measured(late, tookMs),
  };
}

/** @param timesMs of each call, in any order @param tookMs the whole */
export function measured(timesMs: number[], tookMs: number): Measured {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return {
    perSecond: (sorted.length / tookMs) * 1_000,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? 0,
    calls: sorted.length,
  };
}

/** @param sorted ascending @param share 0 to 1 */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

/**
 * Runs contenders round after round, every other round in the opposite order, so that what the machine does besides and
 * what has become warm meanwhile falls on all alike. A first round warms up and is thrown away.
 * @returns each contender's results, in the order of the rounds
 */
export async function alternate<T>(
  rounds: number,
  contenders: Record<string, () => Promise<T>>,
): Promise<Record<string, T[]>> {
  const results: Record<string, T[]> = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    const order = Object.entries(contenders);
    for (const [name, run] of round % 2 === 0 ? order : order.toReversed()) {
      const result = await run();
      if (round >= 0) results[name]?.push(result);
    }
  }
  return results;
}
