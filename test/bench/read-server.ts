// The app server of `npm run bench:read`: a process of its own, without a ring, that can be told to forget all it has read.
import { startApiServer, type ApiServer } from '../../workloads/app-server/api/api-server.ts';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { createLogger } from '../../workloads/common/log.ts';
import type { FromReadServer, ToReadServer } from './support/read-messages.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';

const { BENCH_STORE = '', BENCH_BLOBS = '', BENCH_TOKEN = '' } = process.env;
const CACHE_BYTES = 512 * 1024 * 1024;

const blobs = await openBlobStore(BENCH_BLOBS, {});

/** A store and a server over it, with nothing in their memory. @param port 0: any free one */
async function open(port: number): Promise<{ store: LogStore; server: ApiServer }> {
  const store = await openLogStore(BENCH_STORE);
  const server = await startApiServer({
    store,
    blobs,
    gate: soleOwner('bench-0', `${process.hrtime.bigint()}`),
    cell: 'a',
    platformToken: BENCH_TOKEN,
    logger: createLogger('app-server', 'silent'),
    metrics: new WorkloadMetrics('app_server'),
    cacheBytes: CACHE_BYTES,
    host: '127.0.0.1',
    port,
    ready: () => true,
    node: () => ({}),
  });
  return { store, server };
}

let { store, server } = await open(0);
const say = (message: FromReadServer): void => void process.send?.(message);

/** What live objects take: the heap, and the bytes outside of it that typed arrays hold. */
async function memory(): Promise<FromReadServer> {
  for (let pass = 0; pass < 2; pass++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return {
    kind: 'memory',
    liveBytes: heapUsed + arrayBuffers,
    residentBytes: rss,
    open: server.logs.stats().open,
  };
}

process.on('message', async (message: ToReadServer) => {
  if (message.kind === 'memory') say(await memory());
  else if (message.kind === 'forget') {
    // Images, messages and the store's own pages: the next request finds a server that has just started, with warm code.
    const { port } = server.listener;
    await server.close();
    await store.close();
    ({ store, server } = await open(port));
    say({ kind: 'forgotten' });
  } else {
    await server.close();
    await store.close();
    await blobs.close();
    process.disconnect();
  }
});
say({ kind: 'ready', url: server.listener.url });
