// The user index: who is a friend of whom, and who has a friend in common, answered from memory. It starts from the edge list
// and the snapshot in the blob store, follows the change feeds of all cells, and can be deleted and made anew.
import { z } from 'zod';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { openCells } from '../common/cell-client/cells.ts';
import { FeedFollower } from '../common/changes/feed-follower.ts';
import {
  commonVariables,
  type Environment,
  port,
  positiveInteger,
  readEnvironment,
} from '../common/config/env.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { allWell } from '../common/pulse.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { addRoutes } from './api.ts';
import { degreeFastPath, type DegreeAnswers } from './degree-fast-path.ts';
import { FriendSync } from './friend-sync.ts';
import { GraphStore } from './graph-store.ts';
import { addGauges } from './metrics.ts';
import { Senders } from '../common/cell-client/senders.ts';

const DEFAULT_PORT = 8083;
const DEFAULT_SNAPSHOT_SECONDS = 60;
const USER_PREFIX = 'user:';
/** Shorter than app servers wait: a cell that is away must not look like an index that is. */
const RESOLVE_DEADLINE_MS = 100;

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(DEFAULT_PORT),
  CELLPOST_DISCOVERY_URL: z.url(),
  CELLPOST_BLOB_STORE: z.string().min(1),
  /** How often what the logs said is stored, when it has changed. */
  CELLPOST_SNAPSHOT_SECONDS: positiveInteger.default(DEFAULT_SNAPSHOT_SECONDS),
});

/**
 * Resolves when the listener is open. It is ready once it has a snapshot, or has read the logs of all cells that serve.
 * @throws ConfigError
 */
export async function start(env: Environment): Promise<{ url: string; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  const token = config.CELLPOST_PLATFORM_TOKEN;
  const logger = createLogger('user-index', config.CELLPOST_LOG_LEVEL, { version: config.CELLPOST_VERSION });
  const metrics = WorkloadMetrics.ofProcess('user_index');
  await using resources = new AsyncDisposableStack();
  const blobs = await openBlobStore(config.CELLPOST_BLOB_STORE, env, { metrics });
  resources.defer(() => blobs.close());
  const cells = await openCells({ discoveryUrl: config.CELLPOST_DISCOVERY_URL, token, logger, metrics });
  resources.defer(() => cells.close());

  const store = new GraphStore({ blobs, logger, snapshotMs: config.CELLPOST_SNAPSHOT_SECONDS * 1_000 });
  const sync = new FriendSync({ cells, logger, onWords: (userId, words) => store.say(userId, words) });
  resources.defer(() => sync.close());
  const senders = new Senders(cells, RESOLVE_DEADLINE_MS);
  let follower: FeedFollower | undefined;
  let isCurrent = false;
  const hasCaughtUp = (): boolean =>
    (isCurrent ||= cells.isReady() && follower?.isCurrent === true && sync.pending === 0);
  const ready = (): true | string =>
    hasCaughtUp() || store.hasSnapshot || `the logs are being read: ${sync.pending} users are left`;
  const degree: DegreeAnswers = (a, b) => {
    const found = store.graph.degree(a, b);
    return found === 'far' && !hasCaughtUp() ? { degree: found, isCurrent: false } : { degree: found };
  };
  addGauges(metrics, {
    users: () => store.graph.ids.size,
    graphBytes: () => store.graph.byteLength,
    pending: () => sync.pending,
    behindSeconds: () =>
      new Map(
        [...(follower?.watermarks() ?? [])].map(([cell, ms]) => [
          cell,
          Math.max(0, (Date.now() - ms) / 1_000),
        ]),
      ),
  });
  const listener = await listenHttp({
    host: config.CELLPOST_HTTP_HOST,
    port: config.CELLPOST_HTTP_PORT,
    logger,
    metrics,
    ready,
    healthy: () => allWell(follower ? [cells, sync, follower] : [cells, sync]),
    before: degreeFastPath({ token, degree, ready }),
    routes: (app) => addRoutes(app, { token, graph: () => store.graph, degree, senders, ready, cells, sync }),
  });
  resources.defer(() => listener.close());
  const opening = store.open().then((watermarks) => {
    follower = new FeedFollower({
      cells,
      token,
      logger,
      kinds: ['friends'],
      watermarks,
      onChange: (key) => {
        if (key.startsWith(USER_PREFIX)) sync.note(key.slice(USER_PREFIX.length));
      },
      isSettled: () => sync.pending === 0,
    });
    store.keep({
      watermarks: () => follower?.watermarks() ?? new Map<string, number>(),
      isComplete: () => ready() === true,
    });
  });
  resources.defer(async () => {
    await store.stop();
    await opening;
    await follower?.close();
    await store.close();
  });
  logger.info({ url: listener.url }, 'the user index listens');

  const open = resources.move();
  let closing: Promise<void> | undefined;
  return { url: listener.url, close: () => (closing ??= open.disposeAsync()) };
}
