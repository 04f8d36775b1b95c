// What a log is measured by: its stages, and whether images were there when they were asked for.
import type { Stopwatch } from '../../common/metrics/durations.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';

export type LogMetrics = {
  /** A request that could not begin at once, from its coming until its turn. */
  queue: Stopwatch;
  /** A log that was opened: snapshot, entries, fence. */
  open: Stopwatch;
  /** An entry on its way to durable storage. */
  append: Stopwatch;
  snapshot: Stopwatch;
  image: (isHit: boolean) => void;
};

export function logMetrics(metrics: WorkloadMetrics): LogMetrics {
  return {
    queue: metrics.stage('queue'),
    open: metrics.stage('open'),
    append: metrics.stage('append'),
    snapshot: metrics.stage('snapshot'),
    image: metrics.cache('images'),
  };
}
