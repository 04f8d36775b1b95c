// The API of a simulated app server: the real routes with all that stands before them, over the server's own logs.
import type { RequestListener } from 'node:http';
import { openApi } from '../../workloads/app-server/api/api.ts';
import type { Logs } from '../../workloads/app-server/api/services.ts';
import { MessageReader } from '../../workloads/app-server/image/message-reader.ts';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import { PasswordVerifier } from '../../workloads/app-server/logic/credentials.ts';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { httpApp } from '../../workloads/common/http/server.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';
import { TOKEN } from './asks.ts';
import { ForgetfulReader, TrustingVerifier } from './mutations.ts';
import type { Door, SimLogsOptions } from './model.ts';
import { matchesAtOnce } from './people.ts';

export const CELL = 'a';

/** Of some messages: what was read before is read again, now and then. */
const MESSAGE_BYTES = 20_000;

/** Nothing that is asked of a simulated server is in a blob. */
const NO_BLOBS = new Proxy({} as BlobStore, {
  get(_target, name) {
    throw new Error(`no blobs here: ${String(name)}`);
  },
});

export function openDoor(logs: Logs, options: SimLogsOptions): Door {
  const { store, gate, clock, serves, mutation } = options;
  const logger = createLogger('simulation', 'silent');
  const metrics = new WorkloadMetrics('app_server');
  const reading = { store, blobs: NO_BLOBS, codec: entryCodec, cacheBytes: MESSAGE_BYTES };
  const api = openApi({
    logs,
    store,
    blobs: NO_BLOBS,
    gate,
    cell: CELL,
    messages:
      mutation === "no user in a message's key" ? new ForgetfulReader(reading) : new MessageReader(reading),
    passwords:
      mutation === 'no password check'
        ? new TrustingVerifier()
        : new PasswordVerifier(() => clock.now(), matchesAtOnce),
    platformToken: TOKEN,
    clock,
    logger,
    metrics,
    serves,
    node: () => ({}),
  });
  const app: RequestListener = httpApp({ logger, routes: (app) => api.addRoutes(app) }, metrics.requests());
  return { app, gaveUp: () => api.gaveUp(), close: () => api.close() };
}
