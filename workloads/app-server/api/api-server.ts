// An app server without its ring: images, logic and API over a log store, as long as the gate lets it.
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import { systemClock } from '../../common/clock.ts';
import { listenHttp, type HttpListener } from '../../common/http/server.ts';
import type { Logger } from '../../common/log.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import { isAtHome } from '../image/model.ts';
import { imageFold } from '../image/fold.ts';
import { MessageReader } from '../image/message-reader.ts';
import { entryCodec } from '../log/entry.ts';
import { logMetrics } from '../log/log-metrics.ts';
import type { LogStore } from '../log/log-store.ts';
import { StoreHealth } from '../log/store-health.ts';
import type { OwnershipGate } from '../log/user-log-types.ts';
import { UserLogs } from '../log/user-log.ts';
import { PasswordVerifier } from '../logic/credentials.ts';
import { openApi } from './api.ts';
import { DeliveryChannels, MAX_IN_FLIGHT } from './delivery-channels.ts';
import { Refiler } from './refiler.ts';
import type { UnsureList } from './unsure-list.ts';
import type { Relations } from '../relations.ts';
import type { Logs, Place } from './services.ts';

/** Of the memory for caches, this share is for messages' headers and structure; the rest is for images. */
const MESSAGES_SHARE = 0.25;

export type ApiServerOptions = {
  store: LogStore;
  blobs: BlobStore;
  gate: OwnershipGate;
  /** The name of this server's cell: logs that were moved to another are not served. */
  cell: string;
  platformToken: string;
  /** Who is a friend; without it all senders are alike. */
  relations?: Relations | undefined;
  logger: Logger;
  metrics: WorkloadMetrics;
  /** Memory for images and messages. */
  cacheBytes: number;
  host: string;
  /** 0: any free port. */
  port: number;
  ready: () => true | string;
  /** Beside the store. */
  healthy?: () => true | string;
  /** What GET /node tells beside the number of users. */
  node: () => Record<string, unknown>;
  place?: Place;
  /** Whose mail waits for the user index, over restarts. */
  unsure?: UnsureList | undefined;
};

export type ApiServer = {
  listener: HttpListener;
  logs: Logs;
  /** To be called when keys may go to others, before they serve them: tells those who follow the changes. */
  gaveUp(): void;
  /** Ends streams and requests, then the logs; the stores stay open. May be called twice. */
  close(): Promise<void>;
};

/** @throws the listener's error when the port is taken */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, blobs, gate, cell, logger, cacheBytes } = options;
  const health = new StoreHealth(store);
  const messageBytes = Math.floor(cacheBytes * MESSAGES_SHARE);
  const logs: Logs = new UserLogs({
    store,
    codec: entryCodec,
    fold: imageFold,
    gate,
    isServedHere: (image) => isAtHome(image, cell),
    clock: systemClock,
    cacheBytes: cacheBytes - messageBytes,
    logger,
    metrics: logMetrics(options.metrics),
    onStored: (error) => health.appended(error),
  });
  const messages = new MessageReader({
    store,
    blobs,
    codec: entryCodec,
    cacheBytes: messageBytes,
    asked: options.metrics.cache('messages'),
  });
  const api = openApi({
    ...options,
    logs,
    messages,
    passwords: new PasswordVerifier(),
    clock: systemClock,
    serves: () => options.ready() === true,
  });
  const { services } = api;
  const { relations } = services;
  const refiler = relations && new Refiler({ logs, messages, relations, logger, list: options.unsure });
  options.metrics.queue('refiles', () => refiler?.waiting ?? 0);
  const listener = await listenHttp({
    host: options.host,
    port: options.port,
    logger,
    metrics: options.metrics,
    ready: () => {
      const ready = options.ready();
      return ready === true ? health.ready() : ready;
    },
    healthy: () => {
      const healthy = store.health?.() ?? true;
      return healthy === true ? (options.healthy?.() ?? true) : healthy;
    },
    streams: ['GET /users/:userId/jmap/eventsource', 'GET /changes'],
    routes: (app) => api.addRoutes(app),
  }).catch(async (error: unknown) => {
    health.close();
    api.close();
    await refiler?.close();
    await logs.close();
    throw error;
  });
  const channels = new DeliveryChannels(services);
  options.metrics.queue('deliveries', () => channels.inFlight, MAX_IN_FLIGHT);
  channels.serve(listener.server);
  return {
    listener,
    logs,
    gaveUp: () => api.gaveUp(),
    async close() {
      health.close();
      api.close();
      await Promise.all([channels.close(), listener.close(), refiler?.close()]);
      await logs.close();
    },
  };
}
