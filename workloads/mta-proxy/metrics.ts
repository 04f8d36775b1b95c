// What this door counts.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Checked } from './authentication/protocol.ts';
import type { Outcome } from './delivery/deliverer.ts';
import type { Client } from './smtp/sink.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export type MtaMetrics = {
  command(verb: string): void;
  message(protocol: Client['protocol'], durationMs: number): void;
  delivery(outcome: Outcome, durationMs: number): void;
  checked(checked: Checked, durationMs: number): void;
  policy(action: string, source: string): void;
  limited(kind: string): void;
};

/** @param sessions how many are open now */
export function createMetrics(registry: Registry, sessions: () => number): MtaMetrics {
  const registers = [registry];
  const commands = new Counter({
    name: 'cellpost_mta_proxy_commands_total',
    help: 'SMTP and LMTP commands, by verb',
    labelNames: ['verb'],
    registers,
  });
  const messages = new Histogram({
    name: 'cellpost_mta_proxy_message_duration_seconds',
    help: 'Time from the first byte of a message to its answer',
    labelNames: ['protocol'],
    buckets: SECONDS,
    registers,
  });
  const deliveries = new Histogram({
    name: 'cellpost_mta_proxy_delivery_duration_seconds',
    help: 'Time to deliver one copy of a message: delivered, duplicate, refused or deferred',
    labelNames: ['outcome'],
    buckets: SECONDS,
    registers,
  });
  const authentications = new Counter({
    name: 'cellpost_mta_proxy_authentication_total',
    help: 'Messages checked, by method (spf, dkim, dmarc, arc) and result',
    labelNames: ['method', 'result'],
    registers,
  });
  const checks = new Histogram({
    name: 'cellpost_mta_proxy_authentication_duration_seconds',
    help: 'Time to check one message by SPF, DKIM, DMARC and ARC, lookups and all',
    buckets: SECONDS,
    registers,
  });
  const policies = new Counter({
    name: 'cellpost_mta_proxy_policy_total',
    help: 'Answers of the policy hook, and where they are from: hook, cache, failure',
    labelNames: ['action', 'source'],
    registers,
  });
  const limited = new Counter({
    name: 'cellpost_mta_proxy_limited_total',
    help: 'Recipients refused for now, by what was too much: client, senderDomain, sender, recipient',
    labelNames: ['kind'],
    registers,
  });
  registry.registerMetric(
    new Gauge({
      name: 'cellpost_mta_proxy_sessions',
      help: 'Sessions open now',
      registers: [],
      collect() {
        this.set(sessions());
      },
    }),
  );
  return {
    command: (verb) => commands.inc({ verb }),
    message: (protocol, durationMs) => messages.observe({ protocol }, durationMs / 1_000),
    policy: (action, source) => policies.inc({ action, source }),
    limited: (kind) => limited.inc({ kind }),
    checked: ({ authentication: { spf, dkim, dmarc, arc } }, durationMs) => {
      for (const [method, result] of Object.entries({ spf, dkim, dmarc, arc }))
        if (result !== '') authentications.inc({ method, result });
      checks.observe(durationMs / 1_000);
    },
    delivery: (outcome, durationMs) => deliveries.observe({ outcome }, durationMs / 1_000),
  };
}
