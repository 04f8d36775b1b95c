// What a process may use, and how much of its event loop's time it does use: beside what prom-client tells of a process, so that
// whoever looks knows how near to its limits it is.
import { availableParallelism, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { WorkloadMetrics } from './workload-metrics.ts';

export function addLimits(metrics: WorkloadMetrics): void {
  metrics.gauge(
    'cpu_limit_cores',
    'Processors that the process may use, in whole ones',
    availableParallelism,
  );
  metrics.gauge('memory_limit_bytes', 'Memory that the process may use', memoryLimit);
  metrics.gauge(
    'heap_limit_bytes',
    'Memory that JavaScript objects may take',
    () => getHeapStatistics().heap_size_limit,
  );
  metrics.total(
    'event_loop_active_seconds_total',
    'Time that the event loop was at work',
    () => performance.eventLoopUtilization().active / 1_000,
  );
}

/** That of the container, if it has one; else that of the machine. */
function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
