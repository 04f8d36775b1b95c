// What a process tells of itself at /metrics, as far as benchmarks read it: sums of counters, quantiles of histograms.
import { request } from 'undici';

type Labels = Record<string, string>;
type Series = { name: string; labels: Labels; value: number };

export type Metrics = {
  /** Of all series of a name that have these labels. */
  sum(name: string, labels?: Labels): number;
  /** The upper bound of the histogram's bucket that the quantile lies in. @param share 0 to 1 */
  quantile(histogram: string, labels: Labels, share: number): number;
};

export async function readMetrics(url: string): Promise<Metrics> {
  const { body } = await request(url);
  const series = parse(await body.text());
  const of = (wanted: string, having: Labels = {}): Series[] =>
    series.filter(
      ({ name, labels }) =>
        name === wanted && Object.entries(having).every(([label, value]) => labels[label] === value),
    );
  return {
    sum: (name, labels) => of(name, labels).reduce((total, { value }) => total + value, 0),
    quantile(histogram, labels, share) {
      const buckets = of(`${histogram}_bucket`, labels)
        .map(({ labels: { le = '' }, value }) => ({ le: le === '+Inf' ? Infinity : Number(le), value }))
        .toSorted((a, b) => a.le - b.le);
      const all = buckets.at(-1)?.value ?? 0;
      return buckets.find(({ value }) => value >= all * share)?.le ?? 0;
    },
  };
}

/** `name{label="value",…} 1`, a line a series. */
function parse(text: string): Series[] {
  const lines = text.matchAll(/^(?<name>\w+)(?:\{(?<labels>[^}]*)\})? (?<value>\S+)/gm);
  return [...lines].map(({ groups: { name = '', labels = '', value = '' } = {} }) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(?<label>\w+)="(?<text>[^"]*)"/g)].map(({ groups }) => [
        groups?.label ?? '',
        groups?.text ?? '',
      ]),
    ),
    value: Number(value),
  }));
}
