// What a process answers to machines that look after it.
import type { Express, Response } from 'express';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';

/** Why not, for people. */
export type Verdict = true | string;

export type HealthOptions = {
  metrics: WorkloadMetrics;
  /** False: only a new process can help. */
  healthy: () => Verdict;
  /** True while this process is worth sending requests to. */
  ready: () => Verdict;
};

/** GET /healthz, /readyz, /metrics: for a port that only those who run the platform reach. */
export function addHealth(app: Express, { metrics, healthy, ready }: HealthOptions): void {
  app.get('/healthz', (_request, response) => send(response, healthy()));
  app.get('/readyz', (_request, response) => send(response, ready()));
  app.get('/metrics', async (_request, response) => {
    const { registry } = metrics;
    response.type(registry.contentType).send(await registry.metrics());
  });
}

/** GET /healthz, /readyz for a port that all the world reaches: a load balancer asks them, and learns no reasons. */
export function addPublicHealth(app: Express, { healthy, ready }: HealthOptions): void {
  const withoutReason = (verdict: Verdict): Verdict => verdict === true || 'not now';
  app.get('/healthz', (_request, response) => send(response, withoutReason(healthy())));
  app.get('/readyz', (_request, response) => send(response, withoutReason(ready())));
}

function send(response: Response, verdict: Verdict): void {
  response
    .status(verdict === true ? 200 : 503)
    .type('text/plain')
    .send(verdict === true ? 'ok\n' : `${verdict}\n`);
}
