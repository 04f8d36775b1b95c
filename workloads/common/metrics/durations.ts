// A histogram for hot paths: a child is an array that is counted up in. prom-client's own takes some ten times as long for
// each value (it makes and hashes labels), which counts where a whole log entry costs tens of microseconds.
import type { Metric, Registry } from 'prom-client';

/** Takes the time since a moment on the clock of `performance.now()`. */
export type Stopwatch = { since(startedAt: number): void };

type Child = { labels: Record<string, string>; counts: Float64Array; sumSeconds: number };

export class Durations {
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly name: string;
  readonly help: string;
  readonly #buckets: readonly number[];
  readonly #children = new Map<string, Child & Stopwatch>();

  /** @param buckets upper bounds in seconds, ascending */
  constructor(registry: Registry, name: string, help: string, buckets: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#buckets = buckets;
    // What a registry does with a metric is to ask it for its values; the type names prom-client's own classes only.
    registry.registerMetric(this as unknown as Metric);
  }

  /** The stopwatch of these labels: always the same one, to be kept by whoever uses it often. */
  child(labels: Record<string, string>): Stopwatch {
    const key = Object.values(labels).join('\n');
    const known = this.#children.get(key);
    if (known) return known;
    const buckets = this.#buckets;
    const child = {
      labels,
      // Not cumulative here; the last one is beyond all bounds.
      counts: new Float64Array(buckets.length + 1),
      sumSeconds: 0,
      since(startedAt: number): void {
        const seconds = Math.max(0, performance.now() - startedAt) / 1_000;
        let at = 0;
        while (at < buckets.length && seconds > (buckets[at] ?? 0)) at++;
        child.counts[at] = (child.counts[at] ?? 0) + 1;
        child.sumSeconds += seconds;
      },
    };
    this.#children.set(key, child);
    return child;
  }

  /** What prom-client's registry asks for. */
  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return {
      name,
      help,
      type,
      aggregator,
      values: [...this.#children.values()].flatMap((one) => this.#values(one)),
    };
  }

  reset(): void {
    this.#children.clear();
  }

  #values({ labels, counts, sumSeconds }: Child): object[] {
    let count = 0;
    const values: object[] = [];
    for (const [index, bound] of [...this.#buckets, '+Inf'].entries()) {
      count += counts[index] ?? 0;
      values.push({ metricName: `${this.name}_bucket`, labels: { le: bound, ...labels }, value: count });
    }
    values.push({ metricName: `${this.name}_sum`, labels, value: sumSeconds });
    values.push({ metricName: `${this.name}_count`, labels, value: count });
    return values;
  }
}
