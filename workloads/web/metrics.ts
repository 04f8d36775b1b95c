// What this door counts: sign-ins by outcome, open event streams.
import type { Counter, Gauge } from 'prom-client';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';

export type WebMetrics = {
  signIns: Counter<'outcome'>;
  eventStreams: Gauge;
};

export function createMetrics(metrics: WorkloadMetrics): WebMetrics {
  return {
    signIns: metrics.counter('sign_ins_total', 'Requests by what became of their credentials', ['outcome']),
    eventStreams: metrics.settable('event_streams', 'Event streams that are open now'),
  };
}
