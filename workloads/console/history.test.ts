import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Histogram } from './histogram.ts';
import { History, Ring, STRETCHES } from './history.ts';
import type { Sample } from './sample.ts';

const LOOK_MS = 2_000;

/** A process that answered so many requests in 10 ms each, each with one append of 4 ms. */
function sampleOf(requests: number, more: Partial<Sample> = {}): Sample {
  const all = (bound: number): Histogram => ({
    bounds: [bound / 2, bound, Infinity],
    counts: [0, requests, requests],
  });
  return {
    startedAt: 1,
    cpuSeconds: requests / 100,
    cpuLimit: 1,
    loopActiveSeconds: requests / 200,
    loopLagSeconds: 0.01,
    residentBytes: 1,
    memoryLimitBytes: 2,
    heapUsedBytes: 1,
    heapLimitBytes: 2,
    requests: all(0.01),
    errors: requests / 10,
    stages: new Map([['append', all(0.004)]]),
    queues: new Map(),
    ...more,
  };
}

function watch(samples: (Sample | undefined)[]): History {
  const history = new History();
  samples.forEach((sample, look) => history.push(look * LOOK_MS, sample));
  return history;
}

test('rates are those of the last looks, not of all time', () => {
  const { reading } = watch([0, 0, 0, 0, 0, 0, 20, 40, 60, 80, 100].map((requests) => sampleOf(requests)));
  assert.equal(reading?.requestsPerSecond, 10);
  assert.equal(reading?.errorsPerSecond, 1);
  assert.ok(Math.abs((reading?.cpuCores ?? 0) - 0.1) < 1e-9);
  assert.ok(Math.abs((reading?.loopBusy ?? 0) - 0.05) < 1e-9);
  assert.equal(reading?.stages.get('append')?.perSecond, 10);
});

test('a process that started anew, or did not answer, is watched from then on', () => {
  const before = [sampleOf(1_000), sampleOf(1_020)];
  const restarted = sampleOf(5, { startedAt: 2 });
  assert.equal(watch([...before, restarted]).reading, undefined);
  assert.equal(watch([...before, restarted, sampleOf(15, { startedAt: 2 })]).reading?.requestsPerSecond, 5);
  assert.equal(watch([...before, undefined]).reading, undefined);
  assert.equal(watch([...before, undefined, sampleOf(1_100)]).reading, undefined);
});

test('what is usual is known after some looks with enough calls', () => {
  const looks = Array.from({ length: 12 }, (_, look) => sampleOf(look * 10));
  assert.equal(watch(looks.slice(0, 8)).usualSeconds('append'), undefined);
  const usual = watch(looks).usualSeconds('append') ?? 0;
  assert.ok(usual > 0.002 && usual <= 0.004, String(usual));
  const seldom = Array.from({ length: 40 }, (_, look) => sampleOf(Math.floor(look / 2)));
  assert.equal(watch(seldom).usualSeconds('append'), undefined);
});

test('a ring keeps the newest, oldest first, with gaps where nothing was known', () => {
  const ring = new Ring();
  for (let i = 0; i < 1_000; i++) ring.push(i < 990 ? i : Number.NaN);
  const means = ring.means();
  assert.equal(means.length, STRETCHES);
  assert.equal(means.at(-1), undefined);
  assert.ok((means[0] ?? 0) > 549 && (means[0] ?? 0) < 560, String(means[0]));
  assert.equal(new Ring().median(), undefined);
});
