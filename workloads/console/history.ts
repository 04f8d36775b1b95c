// What is remembered of a process: its last looks, to see what happened between them, and a quarter of an hour of a few
// numbers, to see what is usual.
import { countOf, difference, type Histogram, quantile } from './histogram.ts';
import type { Queue, Sample } from './sample.ts';

/** Rates and latencies are those of the time of so many looks: 10 s of a look each 2 s. */
const WINDOW_LOOKS = 5;
/** A quarter of an hour of a look each 2 s. */
const HISTORY_LOOKS = 450;
/** And what is drawn of it: a stretch each 15 s. */
export const STRETCHES = 60;
/** Fewer calls than these say nothing of a 99th percentile. */
const MIN_CALLS = 5;
/** What is usual is known from so many looks on, and counted anew each so many. */
const MIN_USUAL = 10;
const USUAL_EVERY = 15;
const MEAN_DIGITS = 4;

type StageRate = { perSecond: number; histogram: Histogram; p99Seconds: number | undefined };

/** What a process did lately, and how it is. */
export type Reading = {
  cpuCores: number;
  cpuLimit: number | undefined;
  /** Of the event loop's time, from 0 to 1. */
  loopBusy: number | undefined;
  loopLagSeconds: number;
  residentBytes: number;
  memoryLimitBytes: number | undefined;
  heapUsedBytes: number;
  heapLimitBytes: number | undefined;
  requestsPerSecond: number;
  errorsPerSecond: number;
  requests: Histogram;
  stages: Map<string, StageRate>;
  queues: Map<string, Queue>;
};

/** The last numbers of a series, by look; NaN where there was none. */
export class Ring {
  readonly #values = new Float32Array(HISTORY_LOOKS).fill(Number.NaN);
  #next = 0;

  push(value: number): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % HISTORY_LOOKS;
  }

  /** The means of STRETCHES stretches, oldest first; undefined where nothing is known. */
  means(): (number | undefined)[] {
    const length = HISTORY_LOOKS / STRETCHES;
    return Array.from({ length: STRETCHES }, (_, stretch) => {
      let sum = 0;
      let count = 0;
      for (let look = Math.floor(stretch * length); look < Math.floor((stretch + 1) * length); look++) {
        const value = this.#values[(this.#next + look) % HISTORY_LOOKS] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        sum += value;
        count++;
      }
      // More digits would only make answers longer.
      return count === 0 ? undefined : Number((sum / count).toPrecision(MEAN_DIGITS));
    });
  }

  /** @returns undefined while fewer than MIN_USUAL are known */
  median(): number | undefined {
    const known = this.#values.filter((value) => !Number.isNaN(value)).sort();
    return known.length < MIN_USUAL ? undefined : known[Math.floor(known.length / 2)];
  }
}

export class History {
  #samples: { atMs: number; sample: Sample }[] = [];
  #looks = 0;
  readonly requests = new Ring();
  readonly #stages = new Map<string, { ring: Ring; usual: number | undefined }>();
  reading: Reading | undefined;

  /**
   * Takes a look.
   * @param atMs on a clock that only goes forward
   * @param sample undefined: the process did not answer
   */
  push(atMs: number, sample: Sample | undefined): void {
    this.#looks++;
    const last = this.#samples.at(-1)?.sample;
    if (!sample || (last && last.startedAt !== sample.startedAt)) this.#samples = [];
    if (sample) this.#samples = [...this.#samples.slice(-WINDOW_LOOKS), { atMs, sample }];
    this.reading = this.#read();
    this.requests.push(this.reading?.requestsPerSecond ?? Number.NaN);
    for (const name of this.reading?.stages.keys() ?? [])
      if (!this.#stages.has(name)) this.#stages.set(name, { ring: new Ring(), usual: undefined });
    for (const [name, stage] of this.#stages) {
      stage.ring.push(this.reading?.stages.get(name)?.p99Seconds ?? Number.NaN);
      if (this.#looks % USUAL_EVERY === 0 || stage.usual === undefined) stage.usual = stage.ring.median();
    }
  }

  /** The median of the stage's 99th percentiles, in seconds. */
  usualSeconds(stage: string): number | undefined {
    return this.#stages.get(stage)?.usual;
  }

  /** All that were seen since the console started. */
  stageNames(): Iterable<string> {
    return this.#stages.keys();
  }

  stageRing(stage: string): Ring | undefined {
    return this.#stages.get(stage)?.ring;
  }

  #read(): Reading | undefined {
    const now = this.#samples.at(-1);
    const [before] = this.#samples;
    if (!now || !before || now === before) return undefined;
    const seconds = (now.atMs - before.atMs) / 1_000;
    if (seconds <= 0) return undefined;
    const { sample } = now;
    const past = before.sample;
    const requests = difference(sample.requests, past.requests) ?? sample.requests;
    const stages = new Map<string, StageRate>();
    for (const [name, histogram] of sample.stages) {
      const lately = difference(histogram, past.stages.get(name));
      if (!lately) continue;
      const calls = countOf(lately);
      stages.set(name, {
        perSecond: calls / seconds,
        histogram: lately,
        p99Seconds: calls < MIN_CALLS ? undefined : quantile(lately, 0.99),
      });
    }
    const busy =
      sample.loopActiveSeconds !== undefined && past.loopActiveSeconds !== undefined
        ? (sample.loopActiveSeconds - past.loopActiveSeconds) / seconds
        : undefined;
    return {
      cpuCores: Math.max(0, sample.cpuSeconds - past.cpuSeconds) / seconds,
      cpuLimit: sample.cpuLimit,
      loopBusy: busy === undefined ? undefined : Math.min(1, Math.max(0, busy)),
      loopLagSeconds: sample.loopLagSeconds,
      residentBytes: sample.residentBytes,
      memoryLimitBytes: sample.memoryLimitBytes,
      heapUsedBytes: sample.heapUsedBytes,
      heapLimitBytes: sample.heapLimitBytes,
      requestsPerSecond: countOf(requests) / seconds,
      errorsPerSecond: Math.max(0, sample.errors - past.errors) / seconds,
      requests,
      stages,
      queues: sample.queues,
    };
  }
}
