// What a process tells of itself, named alike in all workloads (docs/observability.md). Whoever measures something asks for
// its probe once and keeps it: a probe has its labels already, and nothing is looked up by name where it is used.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Durations, type Stopwatch } from './durations.ts';
import { addLimits } from './limits.ts';
import { SECONDS, type Workload } from './names.ts';

/** Where data lies that other processes keep. */
type Store = 'blob' | 'hbase' | 'memcached' | 'sqlite' | 'zookeeper';

type Tally = { labels: Record<string, string>; count: number };

/** What became of one attempt of a call to an app server. */
export type CellCallResult = 'answered' | 'redirected' | 'refused' | 'unknown';

/** Whom the client library of the cells asks. */
type Callee = 'app-server' | 'discovery';

const HEDGE_OUTCOMES = ['won', 'lost', 'failed', 'withheld'] as const;
/** What became of a question whose first try was slow: `withheld` is one that the retry budget had nothing left for. */
export type HedgeOutcome = (typeof HEDGE_OUTCOMES)[number];

const RETRY_RESULTS = ['made', 'held'] as const;
/** What became of a call's further attempts: `held` is one that has to wait until the retry budget has something left. */
export type RetryResult = (typeof RETRY_RESULTS)[number];

export class WorkloadMetrics {
  readonly registry = new Registry();
  readonly #prefix: string;
  readonly #queues = new Map<string, { depth: () => number; limit: number | undefined }>();
  readonly #durations = new Map<string, Durations>();
  readonly #tallies = new Map<string, Map<string, Tally>>();

  /** Measures what it is asked to. One that nobody scrapes costs its memory, so tests and tools need no other. */
  constructor(workload: Workload) {
    this.#prefix = `cellpost_${workload}_`;
  }

  /** The same, with what prom-client knows of a process: to be made once in it. */
  static ofProcess(workload: Workload): WorkloadMetrics {
    const metrics = new WorkloadMetrics(workload);
    collectDefaultMetrics({ register: metrics.registry });
    addLimits(metrics);
    return metrics;
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name: this.#prefix + name, help, labelNames, registers: [this.registry] });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets = SECONDS,
  ): Histogram<L> {
    const registers = [this.registry];
    return new Histogram({ name: this.#prefix + name, help, labelNames, buckets, registers });
  }

  /** A histogram for hot paths. */
  durations(name: string, help: string): Durations {
    return new Durations(this.registry, this.#prefix + name, help, SECONDS);
  }

  /** A value that is read when somebody asks. */
  gauge(name: string, help: string, read: () => number): void {
    this.#gauge(name, help, [], (gauge) => gauge.set(read()));
  }

  /** Values by a label. */
  gauges(name: string, help: string, label: string, read: () => Iterable<readonly [string, number]>): void {
    this.#gauge(name, help, [label], (gauge) => {
      gauge.reset();
      for (const [key, value] of read()) gauge.set({ [label]: key }, value);
    });
  }

  /** A number that only rises, read when somebody asks. */
  total(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name: this.#prefix + name,
      help,
      registers: [this.registry],
      collect() {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** A value that is set. */
  settable(name: string, help: string): Gauge {
    return new Gauge({ name: this.#prefix + name, help, registers: [this.registry] });
  }

  /** How long a step of a request takes, and how often it is taken. */
  stage(stage: string): Stopwatch {
    return this.#timings('stage_duration_seconds', 'Time of a stage of the work on a request').child({
      stage,
    });
  }

  storeCall(store: Store, operation: string): Stopwatch {
    const help = 'Time of a call to a store, also of one that failed, its wait for a free place included';
    return this.#timings('store_call_duration_seconds', help).child({ store, operation });
  }

  /** Takes requests of HTTP as they end. */
  requests(): (route: string, status: number, startedAt: number) => void {
    const help =
      'Time from an HTTP request to the end of its answer, by route and status; event streams aside';
    const timings = this.#timings('request_duration_seconds', help);
    return (route, status, startedAt) => timings.child({ route, status: String(status) }).since(startedAt);
  }

  /**
   * Something that can be full. Of several of one kind it is the fullest.
   * @param limit beyond it, something waits or is refused; undefined: others bound it
   */
  queue(queue: string, depth: () => number, limit?: number): void {
    if (this.#queues.size === 0) {
      const all = this.#queues;
      this.gauges('queue_depth', 'What is in a queue, or at work, just now', 'queue', () =>
        Array.from(all, ([name, one]) => [name, one.depth()] as const),
      );
      this.gauges('queue_limit', 'How much a queue takes before something waits or is refused', 'queue', () =>
        Array.from(all).flatMap(([name, one]) =>
          one.limit === undefined ? [] : [[name, one.limit] as const],
        ),
      );
    }
    this.#queues.set(queue, { depth, limit });
  }

  /** Takes what became of questions to a cache. */
  cache(cache: string): (isHit: boolean, count?: number) => void {
    const help = 'Questions to a cache, by hit and miss';
    const hit = this.#tally('cache_requests_total', help, { cache, result: 'hit' });
    const miss = this.#tally('cache_requests_total', help, { cache, result: 'miss' });
    return (isHit, count = 1) => void ((isHit ? hit : miss).count += count);
  }

  cellCalls(): (result: CellCallResult) => void {
    const help =
      'Attempts of calls to app servers: answered, redirected to another, refused for now, or of unknown outcome';
    return (result) => void this.#tally('cell_calls_total', help, { result }).count++;
  }

  hedges(to: Callee): (outcome: HedgeOutcome) => void {
    const help =
      'Questions whose first try was slow: a further try answered first, the first did, none did, or the retry budget was used up';
    return this.#counted('hedges_total', help, HEDGE_OUTCOMES, (outcome) => ({ to, outcome }));
  }

  retries(to: Callee): (result: RetryResult) => void {
    const help = 'Further attempts of calls: made, and held up because the retry budget was used up';
    return this.#counted('retries_total', help, RETRY_RESULTS, (result) => ({ to, result }));
  }

  hbaseRetries(): (reason: string) => void {
    const help = 'Attempts of calls to HBase that failed, by what the server or the socket said';
    return (reason) => void this.#tally('hbase_retries_total', help, { reason }).count++;
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void {
    const gauge: Gauge = new Gauge({
      name: this.#prefix + name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => collect(gauge),
    });
  }

  #timings(name: string, help: string): Durations {
    const known = this.#durations.get(name);
    if (known) return known;
    const made = this.durations(name, help);
    this.#durations.set(name, made);
    return made;
  }

  /** Counts by one of a few words, all of which are told from the start: a rate begins at the zero before the first. */
  #counted<W extends string>(
    name: string,
    help: string,
    words: readonly W[],
    labelsOf: (word: W) => Record<string, string>,
  ): (word: W) => void {
    for (const word of words) this.#tally(name, help, labelsOf(word));
    return (word) => void this.#tally(name, help, labelsOf(word)).count++;
  }

  /** A number that is counted up, and read when somebody asks. */
  #tally(name: string, help: string, labels: Record<string, string>): Tally {
    const tallies = this.#tallies.get(name) ?? this.#newTallies(name, help, Object.keys(labels));
    const key = Object.values(labels).join('\n');
    const tally = tallies.get(key) ?? { labels, count: 0 };
    tallies.set(key, tally);
    return tally;
  }

  #newTallies(name: string, help: string, labelNames: string[]): Map<string, Tally> {
    const tallies = new Map<string, Tally>();
    const counter: Counter = new Counter({
      name: this.#prefix + name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        counter.reset();
        for (const { labels, count } of tallies.values()) counter.inc(labels, count);
      },
    });
    this.#tallies.set(name, tallies);
    return tallies;
  }
}
