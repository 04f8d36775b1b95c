import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countOf, difference, EMPTY, HistogramBuilder, quantile, sum, type Histogram } from './histogram.ts';

const of = (counts: number[], bounds = [0.1, 1, Infinity]): Histogram => ({ bounds, counts });

test('series of other labels and in any order make one histogram', () => {
  const builder = new HistogramBuilder();
  for (const [bound, count] of [
    [Infinity, 3],
    [0.1, 1],
    [1, 2],
    [0.1, 4],
    [1, 4],
    [Infinity, 4],
  ] as const)
    builder.add(bound, count);
  assert.deepEqual(builder.build(), of([5, 6, 7]));
});

test('the difference of two looks is what happened between them', () => {
  assert.deepEqual(difference(of([5, 8, 9]), of([5, 6, 7])), of([0, 2, 2]));
  assert.deepEqual(difference(of([5, 8, 9]), undefined), of([5, 8, 9]));
  assert.deepEqual(difference(of([5, 8, 9]), EMPTY), of([5, 8, 9]));
});

test('after a restart, or with other buckets, there is no difference', () => {
  assert.equal(difference(of([1, 1, 1]), of([5, 6, 7])), undefined);
  assert.equal(difference(of([1, 1, 1]), of([0, 0], [1, Infinity])), undefined);
});

test('quantiles lie within their bucket, as those of Prometheus', () => {
  // 100 observations: 50 up to 0.1, 40 up to 1, 10 above.
  const histogram = of([50, 90, 100]);
  assert.equal(quantile(histogram, 0.25), 0.05);
  assert.equal(quantile(histogram, 0.5), 0.1);
  assert.equal(quantile(histogram, 0.7), 0.55);
  assert.equal(quantile(histogram, 0.99), 1, 'above all bounds: the largest of them');
  assert.equal(quantile(of([0, 10, 10]), 0.5), 0.55);
  assert.equal(quantile(of([0, 0, 0]), 0.5), undefined);
  assert.equal(quantile(EMPTY, 0.5), undefined);
});

test('histograms add up', () => {
  assert.deepEqual(sum([of([1, 2, 3]), of([1, 1, 1]), of([9, 9], [5, Infinity])]), of([2, 3, 4]));
  assert.equal(countOf(sum([])), 0);
});
