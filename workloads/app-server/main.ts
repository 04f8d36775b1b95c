// An app server: the sole entry to the data of the users that its cell's ring gives it.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { systemClock } from '../common/clock.ts';
import {
  commonVariables,
  port,
  positiveInteger,
  readEnvironment,
  type Environment,
} from '../common/config/env.ts';
import { openCoordination } from '../common/coordination/open.ts';
import { httpUrl } from '../common/http/url.ts';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { DEFAULT_TOKENS } from '../common/ring/ring.ts';
import { startApiServer, type ApiServer } from './api/api-server.ts';
import { UnsureList } from './api/unsure-list.ts';
import { INDEX_DEADLINE_MS, IndexRelations } from './index-relations.ts';
import { openLogStore } from './log/open-log-store.ts';
import { keysByOwner, Membership } from './ring/membership.ts';
import { Ownership } from './ring/ownership.ts';
import type { RingIdentity } from './ring/ring-nodes.ts';
import { tellLeft, tellSuccessors } from './tell-successors.ts';

const DEFAULT_PORT = 8081;
/** More tokens make a ring that nobody can look up quickly, and no better spread. */
const MAX_TOKENS = 1024;
const DEFAULT_CACHE_BYTES = 256 * 1024 * 1024;
const DEFAULT_SESSION_TIMEOUT_MS = 2_000;
/** How long a planned leave stores snapshots first, while it still serves: who takes over then replays less. */
const SAVE_DEADLINE_MS = 3_000;
/** And how long its successors may read ahead then. */
const AHEAD_DEADLINE_MS = 3_000;
/** And how long they are told that it has left. */
const LEFT_DEADLINE_MS = 1_000;
/**
 * How long a server that was asked to hand over its users stays without any: longer than who asked needs to see that
 * everybody knows, and shorter than the operator lets a pod be unready before it takes it for stuck.
 */
const DRAINED_MS = 20_000;

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(DEFAULT_PORT),
  CELLPOST_CELL: z.string().min(1),
  /** The name on the ring: stable over restarts. */
  CELLPOST_NODE: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/),
  CELLPOST_TOKENS: positiveInteger.max(MAX_TOKENS).default(DEFAULT_TOKENS),
  /** A name or an address under which others reach this server; that of its own listener unless told. */
  CELLPOST_ADVERTISED_HOST: z.union([z.hostname(), z.ipv4(), z.ipv6()]).optional(),
  CELLPOST_COORDINATION: z
    .string()
    .regex(/^(?:zookeeper:\/\/|local:\/)/, 'is neither zookeeper://… nor local:/…'),
  CELLPOST_SESSION_TIMEOUT_MS: positiveInteger.default(DEFAULT_SESSION_TIMEOUT_MS),
  CELLPOST_LOG_STORE: z.string().min(1),
  CELLPOST_BLOB_STORE: z.string().min(1),
  CELLPOST_CACHE_BYTES: positiveInteger.default(DEFAULT_CACHE_BYTES),
  /** Asked who a sender is; without it mail of all senders is filed alike. */
  CELLPOST_USER_INDEX_URL: z.url({ protocol: /^https?$/ }).optional(),
  CELLPOST_USER_INDEX_TIMEOUT_MS: positiveInteger.default(INDEX_DEADLINE_MS),
});

/**
 * Resolves when the listener is open; /readyz tells when it serves.
 * @throws ConfigError; the listener's error when the port is taken
 */
export async function start(env: Environment): Promise<{ url: string; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  const { CELLPOST_CELL: cell, CELLPOST_NODE: node, CELLPOST_VERSION: version } = config;
  const logger = createLogger('app-server', config.CELLPOST_LOG_LEVEL, { cell, node, version });
  const metrics = WorkloadMetrics.ofProcess('app_server');
  await using resources = new AsyncDisposableStack();
  const store = await openLogStore(config.CELLPOST_LOG_STORE, { logger, metrics });
  resources.defer(() => store.close());
  const blobs = await openBlobStore(config.CELLPOST_BLOB_STORE, env, { metrics });
  resources.defer(() => blobs.close());

  const relations =
    config.CELLPOST_USER_INDEX_URL === undefined
      ? undefined
      : new IndexRelations({
          url: config.CELLPOST_USER_INDEX_URL,
          token: config.CELLPOST_PLATFORM_TOKEN,
          deadlineMs: config.CELLPOST_USER_INDEX_TIMEOUT_MS,
          logger,
          metrics,
        });
  resources.defer(() => relations?.close());

  // Its URL is known once the listener is open, and read when it joins.
  const identity: RingIdentity = {
    name: node,
    url: '',
    tokens: config.CELLPOST_TOKENS,
    version,
    pid: process.pid,
  };
  let api: ApiServer | undefined;
  /** While it still serves. */
  const prepareToLeave = async (): Promise<void> => {
    if (!api || !membership.isReady()) return;
    const { logs } = api;
    await logs.saveSnapshots(SAVE_DEADLINE_MS);
    const keys = membership.successors(logs.openKeys());
    await tellSuccessors(keys, config.CELLPOST_PLATFORM_TOKEN, AHEAD_DEADLINE_MS, logger);
  };
  const membership = new Membership({
    clock: systemClock,
    identity,
    instance: randomBytes(6).toString('hex'),
    openSession: (signal) =>
      openCoordination(config.CELLPOST_COORDINATION, {
        timeoutMs: config.CELLPOST_SESSION_TIMEOUT_MS,
        logger,
        metrics,
        signal,
      }),
    release: async (predicate) => api?.logs.release(predicate),
    onLoss: () => api?.gaveUp(),
    async prepare(newcomers, view) {
      const keys = keysByOwner(api?.logs.openKeys() ?? [], new Ownership(view));
      const theirs = new Map([...keys].filter(([url]) => newcomers.some((one) => one.url === url)));
      await tellSuccessors(theirs, config.CELLPOST_PLATFORM_TOKEN, AHEAD_DEADLINE_MS, logger);
    },
    tellLeft: ({ url }, session) => tellLeft(url, session, config.CELLPOST_PLATFORM_TOKEN, LEFT_DEADLINE_MS),
    logger,
  });
  api = await startApiServer({
    store,
    blobs,
    gate: membership,
    cell,
    relations,
    platformToken: config.CELLPOST_PLATFORM_TOKEN,
    logger,
    metrics,
    cacheBytes: config.CELLPOST_CACHE_BYTES,
    host: config.CELLPOST_HTTP_HOST,
    port: config.CELLPOST_HTTP_PORT,
    unsure: new UnsureList({
      documents: blobs.documents,
      cell,
      node,
      ringVersion: () => membership.ringVersion,
      logger,
    }),
    healthy: () => membership.health(),
    ready: () => (membership.isReady() ? true : `the ring says: ${membership.state}`),
    node: () => ({
      cell,
      node,
      state: membership.state,
      ready: membership.isReady(),
      ringVersion: membership.ringVersion,
      url: identity.url,
      version,
      pid: process.pid,
    }),
    place: {
      async drain() {
        await prepareToLeave();
        await membership.drain(DRAINED_MS);
      },
      rejoin: () => membership.rejoin(),
      hasLeft: (session) => membership.hasLeft(session),
    },
  });
  resources.defer(() => api.close());
  const advertised = config.CELLPOST_ADVERTISED_HOST;
  identity.url = advertised === undefined ? api.listener.url : httpUrl(advertised, api.listener.port);
  void membership.join();
  resources.defer(() => membership.leave());
  resources.defer(prepareToLeave);
  logger.info({ url: api.listener.url, advertised: identity.url }, 'the app server listens');

  const open = resources.move();
  let closing: Promise<void> | undefined;
  return { url: api.listener.url, close: () => (closing ??= open.disposeAsync()) };
}
