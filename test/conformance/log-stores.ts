// The log stores that test/conformance/log-store.test.ts runs against. A new one needs an entry here and nothing else.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogStore, StoredPage, StoredSnapshot } from '../../workloads/app-server/log/log-store.ts';
import { MemoryLogs, MemoryStore } from '../../workloads/app-server/log/memory-store.ts';
import { entryPut, pagePut, snapshotPut } from '../../workloads/app-server/log/hbase-store-rows.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { putRow } from '../../workloads/common/hbase/rows.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { startHbase } from '../real/hbase.ts';

/** One set of logs for a run of the suite. */
export type StoreUnderTest = {
  /** Another store over the same logs, as another app server would have it. The suite closes it. */
  open(): Promise<LogStore>;
  /** What openLogStore takes to reach the same logs from another process; undefined: it can't be reached. */
  url: string | undefined;
  /**
   * Stores what a server stores whose clock is ahead by so much: entry 1 of a key, a body, a snapshot and a page. Not there:
   * what this store keeps knows no clock.
   */
  storeAhead?(key: string, aheadMs: number, stored: Stored): Promise<void>;
  /** Removes the logs. */
  close(): Promise<void>;
};

type Stored = { entry: Uint8Array; body: Uint8Array; snapshot: StoredSnapshot; page: StoredPage };

export type StoreMaker = {
  name: string;
  /** Why the suite can't run here; asked before `start`. */
  skip?: () => string | undefined;
  start(): Promise<StoreUnderTest>;
};

const memory: StoreMaker = {
  name: 'memory',
  start: async () => {
    const logs = new MemoryLogs();
    return { open: async () => new MemoryStore(logs), url: undefined, close: async () => {} };
  },
};

const sqlite: StoreMaker = {
  name: 'SQLite',
  start: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cellpost-sqlite-'));
    const url = `sqlite:${join(folder, 'cell', 'log.db')}`;
    return {
      open: async () => await openLogStore(url),
      url,
      close: async () => await rm(folder, { recursive: true, force: true }),
    };
  },
};

const hbase: StoreMaker = {
  name: 'HBase',
  start: async () => {
    const server = await startHbase();
    try {
      const table = 'log';
      await ensureSchema({ restUrl: server.restUrl, master: server.master, table, regions: 3 });
      const url = `hbase://${server.master},${server.regionServer}/${table}`;
      return {
        open: async () => await openLogStore(url),
        url,
        async storeAhead(key, aheadMs, { entry, body, snapshot, page }) {
          const client = new HbaseClient({ bootstrap: [server.master] });
          const timestampMs = Date.now() + aheadMs;
          for (const put of [entryPut(key, 1, entry, [body]), snapshotPut(key, snapshot), pagePut(key, page)])
            await putRow(client, table, { ...put, timestampMs });
          await client.close();
        },
        close: () => server.close(),
      };
    } catch (error) {
      await server.close();
      throw error;
    }
  },
};

export const STORES: StoreMaker[] = [memory, sqlite, hbase];
