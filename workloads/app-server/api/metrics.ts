// Rate, errors and duration of each JMAP method and HTTP route.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export class ApiMetrics {
  readonly #methods: Histogram<'method' | 'result'>;
  readonly #requests: Counter<'route' | 'status'>;
  readonly #streams: Gauge;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#methods = new Histogram({
      name: 'cellpost_app_server_jmap_method_duration_seconds',
      help: 'Duration of JMAP method calls by method and result (ok or the type of error).',
      labelNames: ['method', 'result'],
      buckets: BUCKETS_SECONDS,
      registers: [registry],
    });
    this.#requests = new Counter({
      name: 'cellpost_app_server_http_requests_total',
      help: 'HTTP requests answered, by route and status.',
      labelNames: ['route', 'status'],
      registers: [registry],
    });
    this.#streams = new Gauge({
      name: 'cellpost_app_server_event_streams',
      help: 'Event streams that are open.',
      registers: [registry],
    });
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
    this.#streams.inc();
    return () => this.#streams.dec();
  }

  /** Shows how many images are in memory, how large those are that nobody uses just now, how many requests wait. */
  watchLogs(stats: () => { open: number; idleBytes: number; waiting: number }): void {
    const gauges = {
      open: ['users_open', 'Images of users in memory.'],
      idleBytes: ['idle_images_bytes', 'Memory of images that nobody uses just now, about.'],
      waiting: ['requests_waiting', 'Requests that wait for a log.'],
    } as const;
    for (const [key, [name, help]] of Object.entries(gauges)) {
      const gauge: Gauge = new Gauge({
        name: `cellpost_app_server_${name}`,
        help,
        registers: [this.#registry],
        collect: () => gauge.set(stats()[key as keyof typeof gauges]),
      });
    }
  }
}
