// The web door: the inbox page, and JMAP for everybody outside. It keeps nothing; each request goes to the app server that
// owns the user.
import { z } from 'zod';
import { openCells } from '../common/cell-client/cells.ts';
import { commonVariables, port, readEnvironment, type Environment } from '../common/config/env.ts';
import { addSecurityHeaders } from '../common/http/page.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { addJmapRoutes } from './jmap-routes.ts';
import { createMetrics } from './metrics.ts';
import { CountsService } from './own-counts.ts';
import { addPage, type Demo } from './page.ts';
import { SignInDesk } from './sign-in.ts';

const DEFAULT_PORT = 8080;

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(DEFAULT_PORT),
  /** Of health and metrics; none given: they are at the port of the page, for platforms on one machine. */
  CELLPOST_ADMIN_PORT: port.optional(),
  CELLPOST_DISCOVERY_URL: z.url(),
  /** The memcache dirty service of this data center; without, app servers are asked for counts. */
  CELLPOST_COUNTS_URL: z.url().optional(),
  /** `address,address password`: shown on the sign-in form. For demonstrations only. */
  CELLPOST_DEMO: z
    .string()
    .regex(/^\S+ \S+$/, 'is not `address,address password`')
    .optional(),
  /** Proxies whose X-Forwarded-For, -Proto and -Host are believed, as express's `trust proxy` takes them. */
  CELLPOST_TRUSTED_PROXIES: z.string().optional(),
});

/** @throws ConfigError; the listener's error when the port is taken */
export async function start(
  env: Environment,
): Promise<{ url: string; ports: Record<string, number>; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  const logger = createLogger('web', config.CELLPOST_LOG_LEVEL, { version: config.CELLPOST_VERSION });
  const metrics = WorkloadMetrics.ofProcess('web');
  const cells = await openCells({
    discoveryUrl: config.CELLPOST_DISCOVERY_URL,
    token: config.CELLPOST_PLATFORM_TOKEN,
    logger,
    metrics,
  });
  const closing = new AbortController();
  try {
    const listener = await listenHttp({
      host: config.CELLPOST_HTTP_HOST,
      port: config.CELLPOST_HTTP_PORT,
      logger,
      metrics,
      ready: () =>
        closing.signal.aborted ? 'closing' : cells.isReady() || 'discovery has not been heard of yet',
      healthy: () => cells.health(),
      isPublic: true,
      adminPort: config.CELLPOST_ADMIN_PORT,
      streams: ['GET /jmap/eventsource'],
      routes: (app) => {
        if (config.CELLPOST_TRUSTED_PROXIES) app.set('trust proxy', config.CELLPOST_TRUSTED_PROXIES);
        addSecurityHeaders(app);
        addJmapRoutes(app, {
          cells,
          desk: new SignInDesk(cells),
          counts: new CountsService(config.CELLPOST_COUNTS_URL, config.CELLPOST_PLATFORM_TOKEN),
          metrics: createMetrics(metrics),
          closing: closing.signal,
        });
        addPage(app, parseDemo(config.CELLPOST_DEMO));
      },
    });
    logger.info({ url: listener.url }, 'the web door is open');
    return {
      url: listener.url,
      ports: listener.adminPort === undefined ? {} : { admin: listener.adminPort },
      close: async () => {
        closing.abort();
        await listener.close();
        await cells.close();
      },
    };
  } catch (error) {
    await cells.close();
    throw error;
  }
}

function parseDemo(text: string | undefined): Demo | undefined {
  const [addresses, password] = text?.split(' ') ?? [];
  return addresses && password ? { addresses: addresses.split(','), password } : undefined;
}
