// What the memcache dirty service counts.
import type { Counter } from 'prom-client';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';

export type CountsMetrics = {
  /** Users whose counts were asked for: found in memcached, or not. */
  lookups: (isHit: boolean, count?: number) => void;
  invalidations: Counter<'result'>;
};

export function createMetrics(
  metrics: WorkloadMetrics,
  feeds: () => { live: number; wanted: number },
): CountsMetrics {
  metrics.gauges(
    'feeds',
    'Change feeds of app servers: those that should be heard (wanted), and those that are (live)',
    'state',
    () => Object.entries(feeds()).filter(([state]) => state === 'live' || state === 'wanted'),
  );
  return {
    lookups: metrics.cache('counts'),
    invalidations: metrics.counter(
      'invalidations_total',
      'Counts that were invalidated in memcached after a change, by result',
      ['result'],
    ),
  };
}
