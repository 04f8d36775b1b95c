// How fresh what discovery knows is, and who follows it.
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';

type DiscoveryGauges = {
  /** Seconds since each source was last known to be current; 0: it is. '' is discovery's own coordination. */
  staleSeconds: () => Map<string, number>;
  buckets: () => Map<string, number>;
  subscribers: () => number;
  /** Requests refused because there was too much to do, since the start. */
  refused: () => number;
};

export function addGauges(metrics: WorkloadMetrics, gauges: DiscoveryGauges): void {
  metrics.gauges(
    'stale_seconds',
    'For how long answers have come from memory alone, by source: the map or a cell',
    'source',
    gauges.staleSeconds,
  );
  metrics.gauges('buckets', 'Buckets that map to a cell', 'cell', gauges.buckets);
  metrics.gauge('subscribers', 'Open watch streams', gauges.subscribers);
  metrics.total('refused_total', 'Requests refused because there was too much to do', gauges.refused);
}
