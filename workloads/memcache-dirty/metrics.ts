// What the memcache dirty service counts.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type CountsMetrics = {
  registry: Registry;
  lookups: Counter<'result'>;
  invalidations: Counter<'result'>;
  duration: Histogram<'status'>;
};

export function createMetrics(feeds: () => { live: number; wanted: number }): CountsMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = new Gauge({
    name: 'cellpost_counts_feeds',
    help: 'Change feeds of app servers: those that should be heard, and those that are',
    labelNames: ['state'],
    registers: [],
    collect() {
      const { live, wanted } = feeds();
      this.set({ state: 'live' }, live);
      this.set({ state: 'wanted' }, wanted);
    },
  });
  registry.registerMetric(gauge);
  return {
    registry,
    lookups: new Counter({
      name: 'cellpost_counts_lookups_total',
      help: 'Users whose counts were asked for: found in memcached, or not',
      labelNames: ['result'],
      registers,
    }),
    invalidations: new Counter({
      name: 'cellpost_counts_invalidations_total',
      help: 'Counts that were invalidated in memcached after a change',
      labelNames: ['result'],
      registers,
    }),
    duration: new Histogram({
      name: 'cellpost_counts_request_duration_seconds',
      help: 'Time from the request to its answer, by status',
      labelNames: ['status'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
      registers,
    }),
  };
}
