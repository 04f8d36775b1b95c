// The MTA proxy: SMTP and LMTP in, deliveries to app servers out.
import { randomBytes } from 'node:crypto';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { openCells } from '../common/cell-client/cells.ts';
import { readEnvironment, type Environment } from '../common/config/env.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { allWell } from '../common/pulse.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { Authenticator } from './authentication/authenticator.ts';
import { dnsServers, trustedNetworks } from './authentication/networks.ts';
import { Senders } from '../common/cell-client/senders.ts';
import { Correspondence } from './delivery/correspondence.ts';
import { DeliveryChannels } from './delivery/delivery-channels.ts';
import { CellMailSink } from './delivery/mail-sink.ts';
import { createMetrics, watchQueues } from './metrics.ts';
import { Parsers } from './parsing/parsers.ts';
import { PolicyHook } from './policy/hook.ts';
import { RateLimits } from './policy/rate-limits.ts';
import { Screening } from './screening.ts';
import { variables } from './settings.ts';
import { DEFAULT_LIMITS, type SmtpLimits } from './smtp/limits.ts';
import { listenSmtp, type SmtpListener } from './smtp/server.ts';

/** Whose the address of a sender is: nobody waits for it. */
const SENDER_DEADLINE_MS = 5_000;

export async function start(
  env: Environment,
): Promise<{ url: string; ports: Record<string, number>; close(): Promise<void> }> {
  const settings = readEnvironment(variables, env);
  const logger = createLogger('mta-proxy', settings.CELLPOST_LOG_LEVEL, {
    version: settings.CELLPOST_VERSION,
  });
  const shared = WorkloadMetrics.ofProcess('mta_proxy');
  const metrics = createMetrics(shared);
  const listeners: SmtpListener[] = [];

  await using opened = new AsyncDisposableStack();
  const blobs = opened.adopt(
    await openBlobStore(settings.CELLPOST_BLOB_STORE, env, { metrics: shared }),
    (store) => store.close(),
  );
  const cells = opened.adopt(
    await openCells({
      discoveryUrl: settings.CELLPOST_DISCOVERY_URL,
      token: settings.CELLPOST_PLATFORM_TOKEN,
      logger,
      metrics: shared,
    }),
    (client) => client.close(),
  );
  const channels = opened.adopt(new DeliveryChannels(cells, settings.CELLPOST_PLATFORM_TOKEN), (all) =>
    all.close(),
  );
  const parsers = opened.adopt(new Parsers(settings.CELLPOST_PARSE_TIMEOUT_MS, logger), (all) => all.close());
  const authenticator = opened.adopt(
    new Authenticator({
      hostname: settings.CELLPOST_SMTP_HOSTNAME,
      dnsServers: dnsServers(settings.CELLPOST_DNS_SERVERS),
      logger,
      onChecked: metrics.checked,
      onLookups: metrics.lookups,
    }),
    (thread) => thread.close(),
  );
  const screening = new Screening({
    authenticator,
    hook:
      settings.CELLPOST_POLICY_URL === undefined
        ? undefined
        : new PolicyHook({
            url: settings.CELLPOST_POLICY_URL,
            deadlineMs: settings.CELLPOST_POLICY_TIMEOUT_MS,
            onFailure: settings.CELLPOST_POLICY_ON_FAILURE,
            logger,
            onAnswer: metrics.policy,
            took: shared.stage('policy'),
          }),
    limits: new RateLimits({
      client: settings.CELLPOST_LIMIT_PER_CLIENT,
      senderDomain: settings.CELLPOST_LIMIT_PER_SENDER_DOMAIN,
      sender: settings.CELLPOST_LIMIT_PER_SENDER,
      recipient: settings.CELLPOST_LIMIT_PER_RECIPIENT,
      senderToRecipient: settings.CELLPOST_LIMIT_PER_SENDER_TO_RECIPIENT,
    }),
    onLimited: metrics.limited,
    enforce: settings.CELLPOST_DMARC_ENFORCE,
    isTrusted: trustedNetworks(settings.CELLPOST_TRUSTED_NETWORKS),
  });
  const correspondence = opened.adopt(
    new Correspondence({ cells, senders: new Senders(cells, SENDER_DEADLINE_MS), logger }),
    (all) => all.close(),
  );
  const sink = new CellMailSink({
    cells,
    channels,
    hostname: settings.CELLPOST_SMTP_HOSTNAME,
    incoming: {
      blobs,
      parsers,
      inlineBytes: settings.CELLPOST_INLINE_BYTES,
      parsed: shared.stage('parse'),
    },
    screening,
    correspondence,
    logger,
    onDelivery: metrics.delivery,
    onMessage: metrics.message,
  });
  const limits: SmtpLimits = {
    ...DEFAULT_LIMITS,
    maxMessageBytes: settings.CELLPOST_MAX_MESSAGE_BYTES,
    maxConnections: settings.CELLPOST_SMTP_MAX_CONNECTIONS,
    maxConnectionsPerAddress: settings.CELLPOST_SMTP_MAX_CONNECTIONS_PER_ADDRESS,
  };
  // Unique over processes and restarts, as what is delivered without an id of its own is told apart by it.
  const tenure = randomBytes(9).toString('base64url');
  let messages = 0;
  const newId = (): string => `${tenure}${(++messages).toString(36)}`;
  const listen = async (lmtp: boolean, port: number): Promise<SmtpListener> => {
    const listener = await listenSmtp({
      host: settings.CELLPOST_SMTP_HOST,
      port,
      hostname: settings.CELLPOST_SMTP_HOSTNAME,
      lmtp,
      limits,
      sink,
      newId,
      onCommand: metrics.command,
      onError: (error) => logger.error({ err: error }, 'session failed'),
    });
    opened.defer(() => listener.close());
    listeners.push(listener);
    return listener;
  };
  watchQueues(shared, { parsers, authenticator, channels });
  const sessions = (): number => Math.max(...listeners.map((listener) => listener.sessions()));
  shared.queue('smtp_sessions', sessions, limits.maxConnections);
  const smtp = await listen(false, settings.CELLPOST_SMTP_PORT);
  const lmtp =
    settings.CELLPOST_LMTP_PORT === undefined ? undefined : await listen(true, settings.CELLPOST_LMTP_PORT);
  const http = opened.adopt(
    await listenHttp({
      host: settings.CELLPOST_HTTP_HOST,
      port: settings.CELLPOST_HTTP_PORT,
      logger,
      metrics: shared,
      ready: () => cells.isReady() || 'discovery has not been heard of yet',
      healthy: () => allWell([parsers, authenticator, cells]),
      routes: () => undefined,
    }),
    (listener) => listener.close(),
  );
  logger.info({ smtp: smtp.port, lmtp: lmtp?.port, http: http.url }, 'mta-proxy is listening');
  // Closed in reverse: first the listeners, last what deliveries need.
  const owned = opened.move();
  return {
    url: http.url,
    ports: { smtp: smtp.port, ...(lmtp ? { lmtp: lmtp.port } : {}) },
    close: () => owned.disposeAsync(),
  };
}
