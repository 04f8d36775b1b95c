import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY } from './histogram.ts';
import type { Reading } from './history.ts';
import {
  downGauge,
  findingsOf,
  follow,
  frozenUsual,
  gaugesOf,
  type Gauge,
  type Tracks,
} from './saturation.ts';

const QUIET: Reading = {
  cpuCores: 0.1,
  cpuLimit: 2,
  loopBusy: 0.1,
  loopLagSeconds: 0.011,
  residentBytes: 100e6,
  memoryLimitBytes: 1e9,
  heapUsedBytes: 50e6,
  heapLimitBytes: 500e6,
  requestsPerSecond: 10,
  errorsPerSecond: 0,
  requests: EMPTY,
  stages: new Map(),
  queues: new Map(),
};
const STARTED_MS = Date.UTC(2026, 0, 1, 12);
const LOOK_MS = 2_000;

const withStage = (stage: string, p99Seconds: number): Reading => ({
  ...QUIET,
  stages: new Map([[stage, { perSecond: 9, histogram: EMPTY, p99Seconds }]]),
});
/** Follows a process over one reading a look, with a usual time of 4 ms of all stages. */
function watch(readings: (Reading | 'away')[], tracks: Tracks = new Map(), from = 0): Tracks {
  let now = tracks;
  readings.forEach((reading, look) => {
    const gauges: Gauge[] =
      reading === 'away'
        ? [downGauge('p', 'it does not answer: timeout')]
        : [downGauge('p', undefined), ...gaugesOf('p', reading, (key) => frozenUsual(now, key) ?? 0.004)];
    now = follow(now, gauges, STARTED_MS + (from + look) * LOOK_MS);
  });
  return now;
}
const texts = (tracks: Tracks): string[] => findingsOf(tracks).map(({ text }) => text);
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('a quiet process has nothing', () => {
  assert.deepEqual(texts(watch(times(20, QUIET))), []);
});

test('each kind of saturation is told in a sentence', () => {
  const cases: [Partial<Reading>, string][] = [
    [{ cpuCores: 1.8 }, 'it uses 1.8 processors of the 2 processors that it may'],
    [{ loopBusy: 0.93 }, 'its event loop is busy 93 % of the time'],
    [{ loopLagSeconds: 0.35 }, 'its event loop is 350 ms late'],
    [{ residentBytes: 950e6 }, 'it uses 906 MiB of 954 MiB of memory'],
    [{ heapUsedBytes: 490e6 }, 'it uses 467 MiB of 477 MiB of heap'],
    [{ errorsPerSecond: 2 }, '20 % of the requests fail'],
    [
      { queues: new Map([['appends', { depth: 900, limit: 1_000 }]]) },
      'the queue appends holds 900 of at most 1000',
    ],
    [{ stages: withStage('index', 0.2).stages }, 'index takes 200 ms (usual 4 ms)'],
    [{ stages: withStage('hbase/append', 0.84).stages }, 'HBase append takes 840 ms (usual 4 ms)'],
  ];
  for (const [change, text] of cases)
    assert.deepEqual(texts(watch(times(3, { ...QUIET, ...change }))), [text]);
  assert.deepEqual(texts(watch(['away', 'away'])), ['it does not answer: timeout']);
});

test('one bad look is not told; what is told is told since the first of them', () => {
  const slow = withStage('append', 0.3);
  assert.deepEqual(texts(watch([QUIET, slow, QUIET, slow, slow, QUIET])), []);
  const [finding] = findingsOf(watch([QUIET, slow, slow, slow, slow]));
  assert.equal(finding?.sinceMs, STARTED_MS + LOOK_MS);
});

test('a finding stays between high and calm, and goes when it was calm for some looks', () => {
  const busy = (loopBusy: number): Reading => ({ ...QUIET, loopBusy });
  const open = watch(times(3, busy(0.9)));
  const between = watch(times(50, busy(0.8)), open, 3);
  assert.equal(findingsOf(between)[0]?.sinceMs, STARTED_MS);
  assert.equal(texts(watch([...times(3, busy(0.2)), busy(0.8)], between)).length, 1);
  assert.equal(texts(watch(times(4, busy(0.2)), between)).length, 0);
  assert.equal(texts(watch(times(50, busy(0.8)))).length, 0, 'between the two nothing opens');
});

test('what is slow for long does not get usual', () => {
  const slow = withStage('append', 0.3);
  let tracks = watch(times(3, slow));
  // From now on the median of the last quarter of an hour says that 300 ms are usual.
  for (let look = 0; look < 100; look++)
    tracks = follow(
      tracks,
      gaugesOf('p', slow, (key) => frozenUsual(tracks, key) ?? 0.3),
      STARTED_MS + look * LOOK_MS,
    );
  assert.deepEqual(texts(tracks), ['append takes 300 ms (usual 4 ms)']);
});

test('what is a little slower, or quick all the same, is not slow', () => {
  assert.deepEqual(texts(watch(times(5, withStage('append', 0.045)))), [], 'below 50 ms nobody minds');
  const gauges = gaugesOf('p', withStage('append', 0.9), () => 0.3);
  assert.ok(
    gauges.every(({ isHigh }) => !isHigh),
    'three times as long as usual',
  );
  const store = gaugesOf('p', withStage('hbase/append', 1.2), () => 1.1);
  assert.equal(store.find(({ kind }) => kind === 'store')?.isHigh, true, 'a store that is always slow');
});

test('a stage that is not used any more is not slow any more', () => {
  const tracks = watch(times(3, withStage('append', 0.3)));
  assert.deepEqual(texts(watch(times(4, QUIET), tracks)), []);
});

test('a process that answers again is not down', () => {
  assert.deepEqual(texts(watch(['away', 'away', 'away', QUIET])), []);
});

test('the cause is told before what it brings about', () => {
  const slow: Reading = {
    ...withStage('hbase/append', 0.84),
    errorsPerSecond: 3,
    queues: new Map([['appends', { depth: 1_000, limit: 1_000 }]]),
  };
  slow.stages.set('append', { perSecond: 9, histogram: EMPTY, p99Seconds: 0.9 });
  assert.deepEqual(
    findingsOf(watch(times(3, slow))).map(({ kind }) => kind),
    ['store', 'queue', 'stage', 'errors'],
  );
});
