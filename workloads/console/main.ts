// The console: looks at every process of the platform and shows what it sees: how much is done, how long it takes, what is
// saturated and since when. It keeps a quarter of an hour in memory and nothing else; it changes nothing (docs/console.md).
import { z } from 'zod';
import { commonVariables, type Environment, port, readEnvironment } from '../common/config/env.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { Collector } from './collector.ts';
import { addPage } from './page.ts';
import { addRoutes, type Answers } from './routes.ts';
import { parseTargets, type Target } from './targets.ts';
import { withoutUserIds } from './users.ts';
import { makeView } from './view.ts';

const DEFAULT_PORT = 8085;
const DEFAULT_INTERVAL_MS = 2_000;
const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 60_000;

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(DEFAULT_PORT),
  CELLPOST_DISCOVERY_URL: z.url(),
  /** Where the processes are that are no app servers; see targets.ts. */
  CELLPOST_CONSOLE_TARGETS: z
    .string()
    .default('')
    .transform((text, context): Target[] => {
      try {
        return parseTargets(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
        return z.NEVER;
      }
    }),
  /** How often it looks. */
  CELLPOST_CONSOLE_INTERVAL_MS: z.coerce
    .number()
    .int()
    .min(MIN_INTERVAL_MS)
    .max(MAX_INTERVAL_MS)
    .default(DEFAULT_INTERVAL_MS),
});

/** @throws ConfigError; the listener's error when the port is taken */
export async function start(env: Environment): Promise<{ url: string; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  const { CELLPOST_PLATFORM_TOKEN: token, CELLPOST_CONSOLE_INTERVAL_MS: intervalMs } = config;
  const logger = createLogger('console', config.CELLPOST_LOG_LEVEL, { version: config.CELLPOST_VERSION });
  const metrics = WorkloadMetrics.ofProcess('console');
  await using resources = new AsyncDisposableStack();
  let answers: Answers | undefined;
  const collector = new Collector({
    discoveryUrl: config.CELLPOST_DISCOVERY_URL,
    token,
    targets: config.CELLPOST_CONSOLE_TARGETS,
    intervalMs,
    logger,
    onLook(seen) {
      const view = makeView(seen, new Date(), intervalMs / 1_000);
      answers = { all: JSON.stringify(view), 'without-users': JSON.stringify(withoutUserIds(view)) };
    },
  });
  resources.defer(() => collector.close());
  const listener = await listenHttp({
    host: config.CELLPOST_HTTP_HOST,
    port: config.CELLPOST_HTTP_PORT,
    logger,
    metrics,
    healthy: () => collector.health(),
    ready: () => (answers ? true : 'nothing has been looked at yet'),
    routes: (app) => {
      addPage(app);
      addRoutes(app, { token, answers: () => answers });
    },
  });
  resources.defer(() => listener.close());
  logger.info({ url: listener.url }, 'the console listens');
  const open = resources.move();
  let closing: Promise<void> | undefined;
  return { url: listener.url, close: () => (closing ??= open.disposeAsync()) };
}
