// The memcache dirty service of a data center: counts of unread messages from its memcached servers, which it keeps true by
// the change feeds of all app servers. Any number of replicas may run; each data center has its own (docs/counts.md).
import { z } from 'zod';
import { openCells } from '../common/cell-client/cells.ts';
import { commonVariables, port, readEnvironment, type Environment } from '../common/config/env.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { allWell } from '../common/pulse.ts';
import { RefillCache } from '../common/memcache/refill-cache.ts';
import { CountReader } from './counts.ts';
import { Feeds } from './feeds.ts';
import { createMetrics } from './metrics.ts';
import { addRoutes } from './routes.ts';

const DEFAULT_PORT = 8084;
/** With the number of the values' form: counts.ts. */
const CACHE_PREFIX = 'cellpost counts 2';

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(DEFAULT_PORT),
  CELLPOST_DISCOVERY_URL: z.url(),
  /** `host:port,host:port`: the memcached servers of this data center. Without, the app servers are asked each time. */
  CELLPOST_MEMCACHED: z
    .string()
    .regex(/^[^\s,]+:\d{1,5}(?:,[^\s,]+:\d{1,5})*$/, 'is not `host:port,host:port`')
    .optional(),
});

/** @throws ConfigError; the listener's error when the port is taken */
export async function start(env: Environment): Promise<{ url: string; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  const { CELLPOST_PLATFORM_TOKEN: token, CELLPOST_VERSION: version } = config;
  const logger = createLogger('memcache-dirty', config.CELLPOST_LOG_LEVEL, { version });
  const shared = WorkloadMetrics.ofProcess('memcache_dirty');
  await using resources = new AsyncDisposableStack();
  const cells = await openCells({
    discoveryUrl: config.CELLPOST_DISCOVERY_URL,
    token,
    logger,
    metrics: shared,
  });
  resources.defer(() => cells.close());
  const servers = config.CELLPOST_MEMCACHED?.split(',');
  const cache = servers && new RefillCache(servers, CACHE_PREFIX, shared);
  resources.defer(() => cache?.close());
  if (!cache) logger.info('no memcached is configured: counts are asked from the app servers');

  const metrics = createMetrics(shared, () => feeds.stats());
  const feeds: Feeds = new Feeds({
    cells,
    token,
    logger,
    onChange: async (key) => {
      try {
        await cache?.invalidate(key);
        metrics.invalidations.inc({ result: 'done' });
      } catch (error) {
        metrics.invalidations.inc({ result: 'failed' });
        throw error;
      }
    },
  });
  resources.defer(() => feeds.close());
  const reader = new CountReader({ cells, cache, feeds, token, metrics, logger });
  const listener = await listenHttp({
    host: config.CELLPOST_HTTP_HOST,
    port: config.CELLPOST_HTTP_PORT,
    logger,
    metrics: shared,
    ready: () => (cells.isReady() ? true : 'the map of discovery is not known yet'),
    healthy: () => allWell([cells, feeds]),
    routes: (app) => addRoutes(app, { reader, token, metrics: shared }),
  });
  resources.defer(() => listener.close());
  logger.info({ url: listener.url }, 'counts are answered');
  const open = resources.move();
  let closing: Promise<void> | undefined;
  return { url: listener.url, close: () => (closing ??= open.disposeAsync()) };
}
