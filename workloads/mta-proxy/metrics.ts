// What this door counts.
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { MAX_AT_ONCE, type Authenticator } from './authentication/authenticator.ts';
import type { Checked, Lookups } from './authentication/protocol.ts';
import type { DeliveryChannels } from './delivery/delivery-channels.ts';
import { MAX_WAITING } from './delivery/delivery-channel.ts';
import type { Outcome } from './delivery/deliverer.ts';
import type { Parsers } from './parsing/parsers.ts';
import type { Client } from './smtp/sink.ts';

/** The moments are of the clock of `performance.now()`. */
export type MtaMetrics = {
  command(verb: string): void;
  message(protocol: Client['protocol'], startedAt: number): void;
  delivery(outcome: Outcome, startedAt: number): void;
  checked(checked: Checked, startedAt: number): void;
  lookups(lookups: Lookups): void;
  policy(action: string, source: string): void;
  limited(kind: string): void;
};

export function createMetrics(metrics: WorkloadMetrics): MtaMetrics {
  const commands = metrics.counter('commands_total', 'SMTP and LMTP commands, by verb', ['verb']);
  const messages = metrics.durations(
    'message_duration_seconds',
    'Time from the first byte of a message to its answer, by protocol',
  );
  const deliveries = metrics.durations(
    'delivery_duration_seconds',
    'Time to deliver one copy of a message, by outcome: delivered, duplicate, refused or deferred',
  );
  const authentications = metrics.counter(
    'authentication_total',
    'Messages checked, by method (spf, dkim, dmarc, arc) and result',
    ['method', 'result'],
  );
  const policies = metrics.counter(
    'policy_total',
    'Answers of the policy hook, and where they are from: hook, cache, failure',
    ['action', 'source'],
  );
  const limited = metrics.counter(
    'limited_total',
    'Recipients refused for now, by what was too much: client, senderDomain, sender, recipient',
    ['kind'],
  );
  const authenticated = metrics.stage('authenticate');
  const delivered = metrics.stage('deliver');
  const dnsAsked = metrics.cache('dns');
  const policyAsked = metrics.cache('policy');
  return {
    command: (verb) => commands.inc({ verb }),
    message: (protocol, startedAt) => messages.child({ protocol }).since(startedAt),
    policy(action, source) {
      policies.inc({ action, source });
      policyAsked(source === 'cache');
    },
    limited: (kind) => limited.inc({ kind }),
    checked({ authentication: { spf, dkim, dmarc, arc } }, startedAt) {
      for (const [method, result] of Object.entries({ spf, dkim, dmarc, arc }))
        if (result !== '') authentications.inc({ method, result });
      authenticated.since(startedAt);
    },
    lookups({ kept, asked }) {
      dnsAsked(true, kept);
      dnsAsked(false, asked);
    },
    delivery(outcome, startedAt) {
      deliveries.child({ outcome }).since(startedAt);
      delivered.since(startedAt);
    },
  };
}

export function watchQueues(
  metrics: WorkloadMetrics,
  queues: { parsers: Parsers; authenticator: Authenticator; channels: DeliveryChannels },
): void {
  metrics.queue('parsers', () => queues.parsers.waiting);
  metrics.queue('authenticator', () => queues.authenticator.waiting, MAX_AT_ONCE);
  metrics.queue('delivery_channel', () => queues.channels.waiting, MAX_WAITING);
}
