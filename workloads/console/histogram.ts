// Histograms as processes count them: how many observations were at most each bound, ever since the process started.

/** Bounds in seconds, ascending, the last one Infinity; `counts` are cumulative, as in Prometheus. */
export type Histogram = { bounds: readonly number[]; counts: readonly number[] };

export const EMPTY: Histogram = { bounds: [Infinity], counts: [0] };

/** How many observations there are. */
export const countOf = ({ counts }: Histogram): number => counts.at(-1) ?? 0;

/** Collects the buckets of one histogram, in any order, over series with other labels. */
export class HistogramBuilder {
  readonly #counts = new Map<number, number>();

  add(bound: number, count: number): void {
    this.#counts.set(bound, (this.#counts.get(bound) ?? 0) + count);
  }

  build(): Histogram {
    const bounds = [...this.#counts.keys()].sort((a, b) => a - b);
    return { bounds, counts: bounds.map((bound) => this.#counts.get(bound) ?? 0) };
  }
}

/**
 * What was observed between two looks at a process.
 * @param before undefined: nothing had been observed
 * @returns undefined when the process has started anew in between, or counts in other buckets
 */
export function difference(now: Histogram, before: Histogram | undefined): Histogram | undefined {
  if (!before || before === EMPTY) return now;
  if (!haveSameBounds(now, before)) return undefined;
  const counts = now.counts.map((count, index) => count - (before.counts[index] ?? 0));
  return counts.some((count) => count < 0) ? undefined : { bounds: now.bounds, counts };
}

/** Several as one. Those whose bounds are not those of the first are left out: all our durations have the same. */
export function sum(histograms: readonly Histogram[]): Histogram {
  const [first] = histograms;
  if (!first) return EMPTY;
  const counts = first.counts.map(() => 0);
  for (const one of histograms)
    if (haveSameBounds(one, first))
      for (let index = 0; index < counts.length; index++)
        counts[index] = (counts[index] ?? 0) + (one.counts[index] ?? 0);
  return { bounds: first.bounds, counts };
}

/**
 * The value that this share of the observations is below, with those of one bucket taken to lie evenly in it, as Prometheus
 * does. What lies above the largest bound is told as that bound.
 * @param share from 0 to 1
 * @returns undefined when nothing was observed
 */
export function quantile(histogram: Histogram, share: number): number | undefined {
  const { bounds, counts } = histogram;
  const rank = countOf(histogram) * share;
  if (countOf(histogram) === 0) return undefined;
  const index = counts.findIndex((count) => count >= rank);
  const upper = bounds[index] ?? Infinity;
  const lower = index <= 0 ? 0 : (bounds[index - 1] ?? 0);
  if (upper === Infinity) return lower;
  const below = index <= 0 ? 0 : (counts[index - 1] ?? 0);
  const inside = (counts[index] ?? 0) - below;
  return inside === 0 ? upper : lower + (upper - lower) * ((rank - below) / inside);
}

/** A quantile in milliseconds; null when nothing was observed. */
export function quantileMs(histogram: Histogram, share: number): number | null {
  const seconds = quantile(histogram, share);
  return seconds === undefined ? null : seconds * 1_000;
}

function haveSameBounds(a: Histogram, b: Histogram): boolean {
  return a.bounds.length === b.bounds.length && a.bounds.every((bound, index) => bound === b.bounds[index]);
}
