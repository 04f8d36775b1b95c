// The log stores that test/conformance/log-store.test.ts runs against. A new one needs an entry here and nothing else.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { MemoryLogs, MemoryStore } from '../../workloads/app-server/log/memory-store.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import { startHbase } from '../real/hbase.ts';

/** One set of logs for a run of the suite. */
export type StoreUnderTest = {
  /** Another store over the same logs, as another app server would have it. The suite closes it. */
  open(): Promise<LogStore>;
  /** What openLogStore takes to reach the same logs from another process; undefined: it can't be reached. */
  url: string | undefined;
  /** Removes the logs. */
  close(): Promise<void>;
};

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
      return { open: async () => await openLogStore(url), url, close: () => server.close() };
    } catch (error) {
      await server.close();
      throw error;
    }
  },
};

export const STORES: StoreMaker[] = [memory, sqlite, hbase];
