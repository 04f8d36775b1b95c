import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Histogram, Registry } from 'prom-client';
import { BadExposition, parseExposition } from './exposition.ts';

const all = (text: string) => [...parseExposition(text, () => true)];

test('what prom-client writes is read as it was', async () => {
  const registry = new Registry();
  const counter = new Counter({ name: 'c_total', help: 'c', labelNames: ['x'], registers: [registry] });
  const strange = 'a "quoted" \\ back,slash}\nand a line';
  counter.inc({ x: strange }, 3.5);
  const histogram = new Histogram({
    name: 'h_seconds',
    help: 'h',
    labelNames: ['route'],
    buckets: [0.1, 1],
    registers: [registry],
  });
  histogram.observe({ route: 'a' }, 0.5);
  histogram.observe({ route: 'b' }, 5);
  const series = all(await registry.metrics());
  assert.deepEqual(series[0], { name: 'c_total', labels: { x: strange }, value: 3.5 });
  const buckets = series.filter(({ name }) => name === 'h_seconds_bucket');
  assert.deepEqual(
    buckets.map(({ labels, value }) => [labels.route, labels.le, value]),
    [
      ['a', '0.1', 0],
      ['a', '1', 1],
      ['a', '+Inf', 1],
      ['b', '0.1', 0],
      ['b', '1', 0],
      ['b', '+Inf', 1],
    ],
  );
});

test('comments, empty lines, time stamps and numbers of Go are understood', () => {
  const text = '# HELP a b\n\na 1 1700000000000\r\nb{} +Inf\nc{x="1",} -Inf\nd NaN\ne 1e-3';
  assert.deepEqual(
    all(text).map(({ value }) => value),
    [1, Infinity, -Infinity, Number.NaN, 0.001],
  );
});

test('only what is wanted is looked at', () => {
  const text = 'a{broken 1\nb 2';
  assert.deepEqual([...parseExposition(text, (name) => name === 'b')], [{ name: 'b', labels: {}, value: 2 }]);
});

test('what is no metric is refused with the line', () => {
  for (const text of ['<!doctype html>', 'a', 'a{b="c"', 'a{b=c} 1', 'a one', '{a="b"} 1'])
    assert.throws(() => all(text), BadExposition, text);
});
