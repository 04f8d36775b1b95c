// Rate, errors and duration of each JMAP method and HTTP route, and what waits.
import type { Counter, Histogram } from 'prom-client';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import { MAX_WAITING } from '../log/user-log.ts';

/** The gates of the operator's rolls read these (operator/outside/app-server.ts). */
const METHOD_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export class ApiMetrics {
  readonly #methods: Histogram<'method' | 'result'>;
  readonly #requests: Counter<'route' | 'status'>;
  readonly #shared: WorkloadMetrics;
  #streams = 0;

  constructor(shared: WorkloadMetrics) {
    this.#shared = shared;
    this.#methods = shared.histogram(
      'jmap_method_duration_seconds',
      'Duration of JMAP method calls by method and result (ok, misdirected or the type of error)',
      ['method', 'result'],
      METHOD_BUCKETS,
    );
    this.#requests = shared.counter('http_requests_total', 'HTTP requests answered, by route and status', [
      'route',
      'status',
    ]);
    shared.gauge('event_streams', 'Event streams that are open', () => this.#streams);
  }

  /** @param method a known method's name, or 'unknown' @returns what to call with the result */
  startMethod(method: string): (result: string) => void {
    const end = this.#methods.startTimer({ method });
    return (result) => void end({ result });
  }

  countRequest(route: string, status: number): void {
    this.#requests.inc({ route, status: String(status) });
  }

  streamOpened(): () => void {
    this.#streams++;
    return () => void this.#streams--;
  }

  /** Shows how many images are in memory, how large those are that nobody uses just now, how many requests wait. */
  watchLogs(stats: () => { open: number; idleBytes: number; waiting: number }): void {
    this.#shared.gauge('users_open', 'Images of users in memory', () => stats().open);
    this.#shared.gauge(
      'idle_images_bytes',
      'Memory of images that nobody uses just now, about',
      () => stats().idleBytes,
    );
    this.#shared.queue('requests', () => stats().waiting, MAX_WAITING);
  }
}
