// What the user index holds, and how far behind it is.
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';

type IndexGauges = {
  users: () => number;
  graphBytes: () => number;
  pending: () => number;
  /** Seconds since everything of each cell was known, by cell. */
  behindSeconds: () => Map<string, number>;
};

export function addGauges(metrics: WorkloadMetrics, gauges: IndexGauges): void {
  metrics.gauge('users', 'Users that the graph knows', gauges.users);
  metrics.gauge('graph_bytes', 'Memory of the graph', gauges.graphBytes);
  metrics.gauge('pending_users', 'Users whose logs are still to be read', gauges.pending);
  metrics.gauges(
    'behind_seconds',
    'For how long not everything of a cell is known',
    'cell',
    gauges.behindSeconds,
  );
}
