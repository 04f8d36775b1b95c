// What the user index counts: requests by route, what it holds, how far behind it is.
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type IndexGauges = {
  users: () => number;
  graphBytes: () => number;
  pending: () => number;
  /** Seconds since everything of each cell was known, by cell. */
  behindSeconds: () => Map<string, number>;
};

export type IndexMetrics = {
  registry: Registry;
  measure: RequestHandler;
  /** Counts a request that did not go through express. */
  count: (route: string, status: number, seconds: number) => void;
};

export function createMetrics(gauges: IndexGauges): IndexMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'cellpost_user_index_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    registry.registerMetric(
      new Gauge({
        name: `cellpost_user_index_${name}`,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  };
  gauge('users', 'Users that the graph knows', gauges.users);
  gauge('graph_bytes', 'Memory of the graph', gauges.graphBytes);
  gauge('pending_users', 'Users whose logs are still to be read', gauges.pending);
  registry.registerMetric(
    new Gauge({
      name: 'cellpost_user_index_behind_seconds',
      help: 'For how long not everything of a cell is known',
      labelNames: ['cell'],
      registers: [],
      collect() {
        this.reset();
        for (const [cell, seconds] of gauges.behindSeconds()) this.set({ cell }, seconds);
      },
    }),
  );
  return {
    registry,
    measure(request, response, next) {
      const stop = duration.startTimer();
      response.once('close', () => {
        const route: unknown = request.route?.path;
        stop({
          route: typeof route === 'string' ? `${request.method} ${route}` : 'none',
          status: response.statusCode,
        });
      });
      next();
    },
    count: (route, status, seconds) => duration.observe({ route, status }, seconds),
  };
}
