// What the operator tells of itself.
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';

export class OperatorMetrics {
  readonly #shared: WorkloadMetrics;
  readonly #requests: Counter<'verb' | 'resource' | 'status'>;
  readonly #writes: Counter<'verb' | 'resource'>;
  readonly reconcileDuration: Histogram<'controller'>;
  readonly reconcileErrors: Counter<'controller'>;
  readonly watchRestarts: Counter<'resource' | 'cause'>;
  readonly leading: Gauge;

  constructor(shared: WorkloadMetrics) {
    this.#shared = shared;
    this.#requests = shared.counter(
      'api_requests_total',
      'Requests to the Kubernetes API by verb, resource and status (0: no answer)',
      ['verb', 'resource', 'status'],
    );
    this.#writes = shared.counter(
      'api_writes_total',
      'Requests to the Kubernetes API that may change something, by verb and resource',
      ['verb', 'resource'],
    );
    this.reconcileDuration = shared.histogram(
      'reconcile_duration_seconds',
      'Time of one reconcile by controller',
      ['controller'],
    );
    this.reconcileErrors = shared.counter(
      'reconcile_errors_total',
      'Reconciles that failed and will be tried again, by controller',
      ['controller'],
    );
    this.watchRestarts = shared.counter(
      'watch_restarts_total',
      'Watches that ended and came back, by resource and cause',
      ['resource', 'cause'],
    );
    this.leading = shared.settable('leading', '1 while this process holds the lease');
    this.leading.set(0);
  }

  /** Keys of a controller that wait for a worker. */
  queue(controller: string, depth: () => number): void {
    this.#shared.queue(controller, depth);
  }

  /** Counts a request when it starts if it writes, and with its status (0: none) when the returned function is called. */
  apiRequest(verb: string, resource: string, writes: boolean): (status: number) => void {
    if (writes) this.#writes.inc({ verb, resource });
    return (status) => this.#requests.inc({ verb, resource, status: String(status) });
  }
}
