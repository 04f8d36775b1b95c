// A blob store whose calls are timed: reads and writes of blobs, which requests wait for. Lists and sweeps are not.
import type { Stopwatch } from '../metrics/durations.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import type { BlobStore, BlobWriter, ByteRange } from './blob-store.ts';

export function measuredBlobStore(store: BlobStore, metrics: WorkloadMetrics): BlobStore {
  const stage = metrics.stage('blob');
  const timer = (operation: string): Stopwatch => {
    const call = metrics.storeCall('blob', operation);
    return {
      since(startedAt) {
        call.since(startedAt);
        stage.since(startedAt);
      },
    };
  };
  const [put, get, size, read] = [timer('put'), timer('get'), timer('size'), timer('stream')];
  const [write, commit] = [timer('write'), timer('commit')];
  return {
    documents: store.documents,
    put: (bytes) => timed(put, () => store.put(bytes)),
    get: (id, range) => timed(get, () => store.get(id, range)),
    size: (id) => timed(size, () => store.size(id)),
    writer: () => measuredWriter(store.writer(), write, commit),
    stream: (id, range) => measuredStream(store, id, range, read),
    list: () => store.list(),
    listRetired: () => store.listRetired(),
    retire: (id) => store.retire(id),
    revive: (id) => store.revive(id),
    purge: (id, retiredByMs) => store.purge(id, retiredByMs),
    close: () => store.close(),
  };
}

function measuredWriter(writer: BlobWriter, write: Stopwatch, commit: Stopwatch): BlobWriter {
  return {
    write: (chunk) => timed(write, () => writer.write(chunk)),
    commit: () => timed(commit, () => writer.commit()),
    abort: () => writer.abort(),
  };
}

/** Of a stream the time to its first chunk counts: how long the rest takes is its reader's doing. */
async function* measuredStream(
  store: BlobStore,
  id: string,
  range: ByteRange | undefined,
  read: Stopwatch,
): AsyncIterable<Uint8Array> {
  const startedAt = performance.now();
  let isFirst = true;
  for await (const chunk of store.stream(id, range)) {
    if (isFirst) read.since(startedAt);
    isFirst = false;
    yield chunk;
  }
}

async function timed<T>(took: Stopwatch, call: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await call();
  } finally {
    took.since(startedAt);
  }
}
