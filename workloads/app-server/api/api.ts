// What answers requests over some logs, whichever way they come: from a listener, or in a simulation.
import type { Express } from 'express';
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/log.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import type { MessageReader } from '../image/message-reader.ts';
import { entryCodec } from '../log/entry.ts';
import type { LogStore } from '../log/log-store.ts';
import type { OwnershipGate } from '../log/user-log-types.ts';
import type { PasswordVerifier } from '../logic/credentials.ts';
import { measured, type Relations } from '../relations.ts';
import { BlobIds } from './blob-ids.ts';
import { ChangeFeed } from './change-feed.ts';
import { EventStreams } from './event-source.ts';
import { ActionReader } from './log-changes.ts';
import { ApiMetrics } from './metrics.ts';
import { addRoutes } from './routes.ts';
import type { Logs, Place, Services } from './services.ts';
import { UserLoads } from './user-load.ts';

export type ApiOptions = {
  logs: Logs;
  store: LogStore;
  blobs: BlobStore;
  gate: OwnershipGate;
  cell: string;
  messages: MessageReader;
  passwords: PasswordVerifier;
  relations?: Relations | undefined;
  platformToken: string;
  clock: Clock;
  logger: Logger;
  metrics: WorkloadMetrics;
  /** Does this server serve, and hold its lease? */
  serves: () => boolean;
  /** What GET /node tells beside the number of users. */
  node: () => Record<string, unknown>;
  place?: Place | undefined;
};

export type Api = {
  services: Services;
  addRoutes(app: Express): void;
  /** To be called when keys may go to others, before they serve them: tells those who follow the changes. */
  gaveUp(): void;
  /** Ends all streams. May be called twice. */
  close(): void;
};

export function openApi(options: ApiOptions): Api {
  const { logs, store, gate, cell, platformToken, clock, relations, node } = options;
  const metrics = new ApiMetrics(options.metrics);
  const services: Services = {
    logs,
    store,
    gate,
    cell,
    blobs: options.blobs,
    messages: options.messages,
    actions: new ActionReader(store, entryCodec),
    passwords: options.passwords,
    blobIds: new BlobIds(platformToken),
    relations: relations && measured(relations, options.metrics.stage('index')),
    metrics,
    loads: new UserLoads(clock),
    logger: options.logger,
    platformToken,
    node: () => ({ ...node(), users: logs.stats().open }),
    place: options.place,
  };
  metrics.watchLogs(() => logs.stats());
  const streams = new EventStreams({ logs, gate, cell, metrics, clock });
  const feed = new ChangeFeed(logs, options.serves, clock);
  return {
    services,
    addRoutes: (app) => addRoutes(app, services, streams, feed),
    gaveUp: () => feed.gaveUp(),
    close() {
      streams.close();
      // Whoever follows reads from the logs what the requests that still end here change.
      feed.close();
    },
  };
}
