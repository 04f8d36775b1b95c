// What the operator tells of itself.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const RECONCILE_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60];

export class OperatorMetrics {
  readonly #requests: Counter;
  readonly #writes: Counter;
  readonly reconcileSeconds: Histogram;
  readonly reconcileErrors: Counter;
  readonly queueDepth: Gauge;
  readonly watchRestarts: Counter;
  readonly leading: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'cellpost_operator_api_requests_total',
      help: 'Requests to the Kubernetes API by verb, resource and status (0: no answer)',
      labelNames: ['verb', 'resource', 'status'],
      registers,
    });
    this.#writes = new Counter({
      name: 'cellpost_operator_api_writes_total',
      help: 'Requests to the Kubernetes API that may change something, by verb and resource',
      labelNames: ['verb', 'resource'],
      registers,
    });
    this.reconcileSeconds = new Histogram({
      name: 'cellpost_operator_reconcile_seconds',
      help: 'Time of one reconcile by controller',
      labelNames: ['controller'],
      buckets: RECONCILE_BUCKETS_SECONDS,
      registers,
    });
    this.reconcileErrors = new Counter({
      name: 'cellpost_operator_reconcile_errors_total',
      help: 'Reconciles that failed and will be tried again, by controller',
      labelNames: ['controller'],
      registers,
    });
    this.queueDepth = new Gauge({
      name: 'cellpost_operator_queue_depth_keys',
      help: 'Keys that wait for a worker, by controller',
      labelNames: ['controller'],
      registers,
    });
    this.watchRestarts = new Counter({
      name: 'cellpost_operator_watch_restarts_total',
      help: 'Watches that ended and came back, by resource and cause',
      labelNames: ['resource', 'cause'],
      registers,
    });
    this.leading = new Gauge({
      name: 'cellpost_operator_leading',
      help: '1 while this process holds the lease',
      registers,
    });
    this.leading.set(0);
  }

  /** Counts a request when it starts if it writes, and with its status (0: none) when the returned function is called. */
  apiRequest(verb: string, resource: string, writes: boolean): (status: number) => void {
    if (writes) this.#writes.inc({ verb, resource });
    return (status) => this.#requests.inc({ verb, resource, status: String(status) });
  }
}
