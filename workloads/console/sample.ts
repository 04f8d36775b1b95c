// What one look at a process's /metrics tells: counters since its start, and what is so just now.
import { type Histogram, HistogramBuilder } from './histogram.ts';
import { parseExposition, toNumber } from './exposition.ts';

export type Queue = { depth: number; limit: number | undefined };

/** What the console itself asks: it is no load. */
const OWN_ROUTES = new Set(['GET /load', 'GET /v1/summary']);

export type Sample = {
  /** When the process started, in seconds since 1970: another one, and its counters begin anew. */
  startedAt: number;
  cpuSeconds: number;
  /** Processors that it may use; undefined: it does not tell. */
  cpuLimit: number | undefined;
  /** Seconds that the event loop has been at work. */
  loopActiveSeconds: number | undefined;
  /** How late the event loop came around at the 99th percentile, since somebody looked before. */
  loopLagSeconds: number;
  residentBytes: number;
  memoryLimitBytes: number | undefined;
  heapUsedBytes: number;
  heapLimitBytes: number | undefined;
  /** All HTTP requests that were answered; messages, where they are taken. */
  requests: Histogram;
  /** Of these, answers of 5xx. */
  errors: number;
  /** By stage, as `append`, and by call of a store, as `hbase/append`. */
  stages: Map<string, Histogram>;
  queues: Map<string, Queue>;
};

/** A process has a dozen; more are left out. */
const MAX_STAGES = 64;
const MAX_QUEUES = 64;
/** Names of stages and queues, of which each look makes new strings. */
const MAX_NAME_CHARS = 80;

const PLAIN = new Set([
  'process_start_time_seconds',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
]);
/** Of names such as cellpost_app_server_stage_duration_seconds_bucket. */
const OURS =
  /^cellpost_[a-z_]+?_((?:request|message|stage|store_call)_duration_seconds_bucket|queue_depth|queue_limit|event_loop_active_seconds_total|cpu_limit_cores|memory_limit_bytes|heap_limit_bytes)$/;

/** @throws BadExposition */
export function readSample(text: string): Sample {
  const values = new Map<string, number>();
  const requests = new HistogramBuilder();
  const stages = new Map<string, HistogramBuilder>();
  const queues = new Map<string, Queue>();
  let errors = 0;
  const stage = (name: string, le: string | undefined, value: number): void => {
    let builder = stages.get(name);
    if (!builder) {
      if (stages.size >= MAX_STAGES || name.length > MAX_NAME_CHARS) return;
      stages.set(name, (builder = new HistogramBuilder()));
    }
    builder.add(boundOf(le), value);
  };
  const queue = (name = ''): Queue => {
    const known = queues.get(name);
    if (known) return known;
    const made: Queue = { depth: 0, limit: undefined };
    if (queues.size < MAX_QUEUES && name.length <= MAX_NAME_CHARS) queues.set(name, made);
    return made;
  };
  const read = (what: string, labels: Record<string, string>, value: number): void => {
    switch (what) {
      // What a message is to the door for mail.
      case 'message_duration_seconds_bucket':
      case 'request_duration_seconds_bucket':
        if (OWN_ROUTES.has(labels.route ?? '')) return;
        requests.add(boundOf(labels.le), value);
        if (labels.le === '+Inf' && /^5\d\d$/.test(labels.status ?? '')) errors += value;
        return;
      case 'stage_duration_seconds_bucket':
        return stage(labels.stage ?? '', labels.le, value);
      case 'store_call_duration_seconds_bucket':
        return stage(`${labels.store}/${labels.operation}`, labels.le, value);
      case 'queue_depth':
        queue(labels.queue).depth = value;
        return;
      case 'queue_limit':
        queue(labels.queue).limit = value;
        return;
      default:
        values.set(what, value);
    }
  };
  for (const { name, labels, value } of parseExposition(text, (name) => PLAIN.has(name) || OURS.test(name)))
    read(OURS.exec(name)?.[1] ?? name, labels, value);
  return {
    startedAt: values.get('process_start_time_seconds') ?? 0,
    cpuSeconds: values.get('process_cpu_seconds_total') ?? 0,
    cpuLimit: values.get('cpu_limit_cores'),
    loopActiveSeconds: values.get('event_loop_active_seconds_total'),
    loopLagSeconds: values.get('nodejs_eventloop_lag_p99_seconds') || 0,
    residentBytes: values.get('process_resident_memory_bytes') ?? 0,
    memoryLimitBytes: values.get('memory_limit_bytes'),
    heapUsedBytes: values.get('nodejs_heap_size_used_bytes') ?? 0,
    heapLimitBytes: values.get('heap_limit_bytes'),
    requests: requests.build(),
    errors,
    stages: new Map(Array.from(stages, ([name, builder]) => [name, builder.build()] as const)),
    queues,
  };
}

const boundOf = (le: string | undefined): number => toNumber(le ?? '') ?? Infinity;
