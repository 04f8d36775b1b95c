// The discovery service: answers which cell and which app server serve a key, from memory, and streams what changes.
import { z } from 'zod';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import {
  commonVariables,
  type Environment,
  port,
  positiveInteger,
  readEnvironment,
} from '../common/config/env.ts';
import { openCells, type Cells } from '../common/cell-client/cells.ts';
import { parseCoordinationUrl } from '../common/coordination/open.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { allWell } from '../common/pulse.ts';
import { moveKey } from '../common/moves/move-key.ts';
import { addRoutes } from './api.ts';
import { Freshness } from './freshness.ts';
import { MapDocument } from './map-document.ts';
import { MapStore } from './map-store.ts';
import { addGauges } from './metrics.ts';
import { askPeers } from './peers.ts';
import { RingClients } from './ring-clients.ts';
import { SavedMap } from './saved-map.ts';
import { MAX_IN_FLIGHT, Shedding } from './shedding.ts';
import { DiscoveryState } from './state.ts';
import { summarize } from './summary.ts';
import { UnfinishedMoves } from './unfinished-moves.ts';
import { WatchStreams } from './watch-stream.ts';
import { whereFastPath } from './where-fast-path.ts';

const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(8090),
  /** Discovery's own: where the map lies. */
  CELLPOST_COORDINATION: z.string(),
  CELLPOST_SESSION_TIMEOUT_MS: positiveInteger.default(4_000),
  /** A folder for the last map, so that a start finds one while the coordination is away. */
  CELLPOST_STATE_DIR: z.string().optional(),
  /** Where the last map is kept instead, for all replicas, when there is no such folder. */
  CELLPOST_BLOB_STORE: z.string().optional(),
  /** URLs of other replicas, with commas: one that starts while the coordination is away asks them for the map. */
  CELLPOST_DISCOVERY_PEERS: z
    .string()
    .default('')
    .transform((list) => list.split(',').filter((url) => url !== ''))
    .pipe(z.array(z.url())),
});

/**
 * Resolves when the listener is open. It is ready once it has a map, and stays so: with its coordination away it goes on
 * from memory (the metrics say since when).
 * @throws ConfigError
 */
export async function start(env: Environment): Promise<{ url: string; close(): Promise<void> }> {
  const config = readEnvironment(variables, env);
  parseCoordinationUrl(config.CELLPOST_COORDINATION);
  const logger = createLogger('discovery', config.CELLPOST_LOG_LEVEL, { version: config.CELLPOST_VERSION });
  const metrics = WorkloadMetrics.ofProcess('discovery');
  const state = new DiscoveryState();
  const saved = config.CELLPOST_STATE_DIR ? new SavedMap(config.CELLPOST_STATE_DIR, logger) : undefined;
  const before = saved?.load();
  if (before) state.restore(before);
  saved?.follow(state);

  const blobs =
    saved || !config.CELLPOST_BLOB_STORE
      ? undefined
      : await openBlobStore(config.CELLPOST_BLOB_STORE, env, { metrics });

  const timeoutMs = config.CELLPOST_SESSION_TIMEOUT_MS;
  const streams = new WatchStreams(state);
  const rings = new RingClients({
    timeoutMs,
    logger,
    metrics,
    onView: (cell, view) => state.updateRing(cell, view),
  });
  rings.sync(state.directory.cells());
  // It finds the app servers as everybody does: by this very service.
  let ownUrl: string | undefined;
  let cells: Promise<Cells> | undefined;
  const unfinished = new UnfinishedMoves({
    logger,
    async finish(key, to) {
      if (ownUrl === undefined) throw new Error('Discovery does not listen yet.');
      cells ??= openCells({ discoveryUrl: ownUrl, token: config.CELLPOST_PLATFORM_TOKEN, logger });
      await moveKey(await cells, key, to);
    },
  });
  const map = new MapStore({
    url: config.CELLPOST_COORDINATION,
    timeoutMs,
    logger,
    metrics,
    state,
    onUpdate({ ending }) {
      rings.sync(state.directory.cells());
      unfinished.update(ending);
    },
  });
  const stopAsking = askPeers({
    urls: config.CELLPOST_DISCOVERY_PEERS,
    token: config.CELLPOST_PLATFORM_TOKEN,
    logger,
    wanted: () => !state.known,
    onSnapshot(snapshot) {
      state.restore(snapshot);
      rings.sync(state.directory.cells());
    },
  });
  const document =
    blobs &&
    new MapDocument({
      documents: blobs.documents,
      state,
      logger,
      isCurrent: () => map.current,
      onRestored: () => rings.sync(state.directory.cells()),
    });
  const freshness = new Freshness(() => [
    ['map', map.current],
    ...state.directory.cells().map(({ name }) => [`cell ${name}`, rings.status(name).current] as const),
  ]);
  const shedding = new Shedding();
  const summary = () => summarize(state, freshness.staleSeconds(), (cell) => rings.status(cell));
  addGauges(metrics, {
    staleSeconds: () => freshness.staleSeconds(),
    buckets: () => state.directory.buckets.counts(),
    subscribers: () => streams.count,
    refused: () => shedding.refused,
  });
  metrics.queue('requests', () => shedding.inFlight, MAX_IN_FLIGHT);
  const end = async (): Promise<void> => {
    stopAsking();
    unfinished.close();
    await (await cells)?.close();
    await document?.close();
    await blobs?.close();
    streams.close();
    freshness.close();
    shedding.close();
    await Promise.all([map.close(), rings.close()]);
    saved?.close();
  };
  try {
    const listener = await listenHttp({
      host: config.CELLPOST_HTTP_HOST,
      port: config.CELLPOST_HTTP_PORT,
      logger,
      metrics,
      healthy: () => allWell([map, rings]),
      ready: () => state.known || `no map yet: ${map.problem ?? 'it is being read'}`,
      before: whereFastPath({ token: config.CELLPOST_PLATFORM_TOKEN, state }),
      streams: ['GET /v1/watch'],
      routes: (app) =>
        addRoutes(app, {
          token: config.CELLPOST_PLATFORM_TOKEN,
          state,
          map,
          rings,
          streams,
          shedding,
          summary,
        }),
    });
    logger.info({ url: listener.url }, 'discovery listens');
    ownUrl = listener.url;
    return {
      url: listener.url,
      async close() {
        streams.close();
        await listener.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
