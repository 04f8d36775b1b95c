// The MTA proxy: SMTP and LMTP in, deliveries to app servers out.
import { randomBytes } from 'node:crypto';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { openCells } from '../common/cell-client/cells.ts';
import { readEnvironment, type Environment } from '../common/config/env.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { CellMailSink } from './delivery/mail-sink.ts';
import { variables } from './settings.ts';
import { DEFAULT_LIMITS } from './smtp/limits.ts';
import { listenSmtp, type SmtpListener } from './smtp/server.ts';

export async function start(
  env: Environment,
): Promise<{ url: string; ports: Record<string, number>; close(): Promise<void> }> {
  const settings = readEnvironment(variables, env);
  const logger = createLogger('mta-proxy', settings.CELLPOST_LOG_LEVEL);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const commands = new Counter({
    name: 'cellpost_mta_proxy_commands_total',
    help: 'SMTP and LMTP commands, by verb',
    labelNames: ['verb'],
    registers: [registry],
  });
  const deliveries = new Counter({
    name: 'cellpost_mta_proxy_deliveries_total',
    help: 'Copies of messages, by outcome: delivered, duplicate, refused, deferred',
    labelNames: ['outcome'],
    registers: [registry],
  });

  await using opened = new AsyncDisposableStack();
  const blobs = opened.adopt(await openBlobStore(settings.CELLPOST_BLOB_STORE, env), (store) =>
    store.close(),
  );
  const cells = opened.adopt(
    await openCells({
      discoveryUrl: settings.CELLPOST_DISCOVERY_URL,
      token: settings.CELLPOST_PLATFORM_TOKEN,
      logger,
    }),
    (client) => client.close(),
  );
  const sink = new CellMailSink({
    cells,
    blobs,
    hostname: settings.CELLPOST_SMTP_HOSTNAME,
    inlineBytes: settings.CELLPOST_INLINE_BYTES,
    logger,
    onDelivery: (outcome) => deliveries.inc({ outcome }),
  });
  const listeners: SmtpListener[] = [];
  const listen = async (lmtp: boolean, port: number): Promise<SmtpListener> => {
    const listener = await listenSmtp({
      host: settings.CELLPOST_SMTP_HOST,
      port,
      hostname: settings.CELLPOST_SMTP_HOSTNAME,
      lmtp,
      limits: { ...DEFAULT_LIMITS, maxMessageBytes: settings.CELLPOST_MAX_MESSAGE_BYTES },
      sink,
      newId: () => randomBytes(9).toString('base64url'),
      onCommand: (verb) => commands.inc({ verb }),
      onError: (error) => logger.error({ err: error }, 'session failed'),
    });
    opened.defer(() => listener.close());
    listeners.push(listener);
    return listener;
  };
  const smtp = await listen(false, settings.CELLPOST_SMTP_PORT);
  const lmtp =
    settings.CELLPOST_LMTP_PORT === undefined ? undefined : await listen(true, settings.CELLPOST_LMTP_PORT);
  registry.registerMetric(
    new Gauge({
      name: 'cellpost_mta_proxy_sessions',
      help: 'Sessions open now',
      registers: [],
      collect() {
        this.set(listeners.reduce((sum, listener) => sum + listener.sessions(), 0));
      },
    }),
  );
  const http = opened.adopt(
    await listenHttp({
      host: settings.CELLPOST_HTTP_HOST,
      port: settings.CELLPOST_HTTP_PORT,
      logger,
      registry,
      ready: () => cells.isReady() || 'discovery has not been heard of yet',
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
