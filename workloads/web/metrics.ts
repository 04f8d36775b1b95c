// What this door counts: requests by route and status with their time, sign-ins by outcome, open event streams.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type WebMetrics = {
  requestSeconds: Histogram<'route' | 'status'>;
  signIns: Counter<'outcome'>;
  eventStreams: Gauge;
};

export function createMetrics(registry: Registry): WebMetrics {
  const registers = [registry];
  return {
    requestSeconds: new Histogram({
      name: 'cellpost_web_request_duration_seconds',
      help: 'Time from a request to its answer, by route; not for event streams',
      labelNames: ['route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    signIns: new Counter({
      name: 'cellpost_web_sign_ins_total',
      help: 'Requests by what became of their credentials',
      labelNames: ['outcome'],
      registers,
    }),
    eventStreams: new Gauge({
      name: 'cellpost_web_event_streams',
      help: 'Event streams that are open now',
      registers,
    }),
  };
}
