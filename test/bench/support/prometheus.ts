// What a process tells of itself at /metrics, as far as benchmarks read it: sums of counters, quantiles of histograms.
import { request } from 'undici';

type Labels = Record<string, string>;
type Sample = { name: string; labels: Labels; value: number };

export type Metrics = {
  samples: readonly Sample[];
  /** Of all series of a name that have these labels. */
  sum(name: string, labels?: Labels): number;
  /** The same by the values of one label. */
  by(name: string, label: string): Record<string, number>;
};

export async function readMetrics(url: string): Promise<Metrics> {
  const { body } = await request(url);
  const samples = [...(await body.text()).matchAll(/^(?<name>\w+)(?:\{(?<labels>[^}]*)\})? (?<value>\S+)/gm)].map(
    ({ groups: { name = '', labels = '', value = '' } = {} }) => ({
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]),
      ),
      value: Number(value),
    }),
  );
  const of = (wanted: string, having: Labels = {}): Sample[] =>
    samples.filter(
      ({ name, labels }) =>
        name === wanted && Object.entries(having).every(([label, value]) => labels[label] === value),
    );
  return {
    samples,
    sum: (name, labels) => of(name, labels).reduce((total, { value }) => total + value, 0),
    by(name, label) {
      const sums: Record<string, number> = {};
      for (const { labels, value } of of(name)) {
        const key = labels[label] ?? '';
        sums[key] = (sums[key] ?? 0) + value;
      }
      return sums;
    },
  };
}

/** The upper bound of the bucket that the quantile lies in. @param share 0 to 1 */
export function quantileOf(metrics: Metrics, bucket: string, labels: Labels, share: number): number {
  const bounds = metrics.samples
    .filter(({ name, labels: has }) => name === bucket && Object.entries(labels).every(([l, v]) => has[l] === v))
    .map(({ labels: { le = '' }, value }) => ({ le: le === '+Inf' ? Infinity : Number(le), value }))
    .toSorted((a, b) => a.le - b.le);
  const all = bounds.at(-1)?.value ?? 0;
  return bounds.find(({ value }) => value >= all * share)?.le ?? 0;
}
