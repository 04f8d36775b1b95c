// What discovery counts: requests by route (rate, errors, duration), and how fresh what it knows is.
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type DiscoveryGauges = {
  /** Seconds since each source was last known to be current; 0: it is. '' is discovery's own coordination. */
  staleSeconds: () => Map<string, number>;
  buckets: () => Map<string, number>;
  subscribers: () => number;
  /** Requests refused because there was too much to do, since the start. */
  refused: () => number;
};

export type DiscoveryMetrics = {
  registry: Registry;
  measure: RequestHandler;
  /** Counts a request that did not go through express. */
  count: (route: string, status: number, seconds: number) => void;
};

export function createMetrics(gauges: DiscoveryGauges): DiscoveryMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'cellpost_discovery_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  const gauge = (name: string, help: string, label: string, read: () => Map<string, number>): Gauge =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, value] of read()) this.set({ [label]: key }, value);
      },
    });
  gauge(
    'cellpost_discovery_stale_seconds',
    'For how long answers have come from memory alone, by source: the map or a cell',
    'source',
    gauges.staleSeconds,
  );
  gauge('cellpost_discovery_buckets', 'Buckets that map to a cell', 'cell', gauges.buckets);
  registry.registerMetric(
    new Gauge({
      name: 'cellpost_discovery_subscribers',
      help: 'Open watch streams',
      registers: [],
      collect() {
        this.set(gauges.subscribers());
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: 'cellpost_discovery_refused_total',
      help: 'Requests refused because there was too much to do',
      registers: [],
      collect() {
        this.reset();
        this.inc(gauges.refused());
      },
    }),
  );
  const measure: RequestHandler = (request, response, next) => {
    const stop = duration.startTimer();
    response.once('close', () => {
      const route: unknown = request.route?.path;
      // Streams last as long as their subscribers: their duration says nothing.
      if (route !== '/v1/watch')
        stop({
          route: typeof route === 'string' ? `${request.method} ${route}` : 'none',
          status: response.statusCode,
        });
    });
    next();
  };
  return {
    registry,
    measure,
    count: (route, status, seconds) => duration.observe({ route, status }, seconds),
  };
}
