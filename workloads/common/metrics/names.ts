// How metrics are named: cellpost_<workload>_<what>_<unit>, a workload being a process's name with underscores.

export type Workload =
  'app_server' | 'console' | 'discovery' | 'memcache_dirty' | 'mta_proxy' | 'operator' | 'user_index' | 'web';

/**
 * Of every duration, so that those of one workload can be laid beside those of another: from an answer out of memory to
 * what a client hardly waits for.
 */
export const SECONDS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
