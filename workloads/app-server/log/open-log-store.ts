// The log store that CELLPOST_LOG_STORE names.
import { ConfigError } from '../../common/config/env.ts';
import type { Logger } from '../../common/log.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import type { LogStore } from './log-store.ts';

/**
 * @param url `sqlite:/path/of/file.db`, `hbase://host:16000,host:16020/table` (masters or region servers to start from)
 *   or `memory:`. Implementations are loaded when they are named: an embedded platform needs no HBase client.
 * @throws ConfigError when the URL is none of these or the store's format is newer than this program
 */
export async function openLogStore(
  url: string,
  options: { logger?: Logger; metrics?: WorkloadMetrics } = {},
): Promise<LogStore> {
  if (url === 'memory:') {
    const { MemoryStore } = await import('./memory-store.ts');
    return new MemoryStore();
  }
  const file = /^sqlite:(.+)$/.exec(url)?.[1];
  if (file) {
    const { openSqliteStore } = await import('./sqlite-store.ts');
    return await openSqliteStore(file, options);
  }
  if (url.startsWith('hbase://')) {
    const { openHbaseStore } = await import('./hbase-store.ts');
    return await openHbaseStore(url, options);
  }
  throw new ConfigError(
    `CELLPOST_LOG_STORE: ${JSON.stringify(url)} is neither sqlite:/path, hbase://host:port/table nor memory:`,
  );
}
