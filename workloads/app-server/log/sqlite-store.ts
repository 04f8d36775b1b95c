// The log store of the embedded platform: one SQLite file a cell, shared by the processes of its app servers. A write is
// acknowledged when its transaction is on the disk; the writes that wait meanwhile share the next one (group commit).
import type { Logger } from '../../common/log.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import type { KeyPage, LogRow, LogStore, ReadLimits, StoredPage, StoredSnapshot } from './log-store.ts';
import { MAX_WAITING_CALLS, SqliteThread } from './sqlite-store-thread.ts';
import { checkAppend, checkLimit, checkLimits, checkSeq } from './store-checks.ts';

/** How long a transaction may wait for those of other processes: they take milliseconds, a large checkpoint a second. */
const BUSY_DEADLINE_MS = 5_000;

/**
 * @param file is made when missing, its folder, too
 * @throws ConfigError when the file is of a newer format or no file of ours; StoreUnavailable when it can't be opened
 */
export async function openSqliteStore(
  file: string,
  options: { logger?: Logger; metrics?: WorkloadMetrics } = {},
): Promise<LogStore> {
  const settings = { file, busyDeadlineMs: BUSY_DEADLINE_MS };
  const writer = new SqliteThread({ ...settings, role: 'writer' }, options.logger, options.metrics);
  const reader = new SqliteThread({ ...settings, role: 'reader' }, options.logger, options.metrics);
  options.metrics?.queue('sqlite_writes', () => writer.waiting, MAX_WAITING_CALLS);
  options.metrics?.queue('sqlite_reads', () => reader.waiting, MAX_WAITING_CALLS);
  const opened = await Promise.allSettled([writer.open(), reader.open()]);
  const failed = opened.find((one) => one.status === 'rejected');
  if (!failed) return new SqliteStore(writer, reader);
  await Promise.all([writer.close(), reader.close()]);
  throw failed.reason;
}

class SqliteStore implements LogStore {
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;

  constructor(writer: SqliteThread, reader: SqliteThread) {
    this.#writer = writer;
    this.#reader = reader;
  }

  async append(
    key: string,
    seq: number,
    entry: Uint8Array,
    bodies: readonly Uint8Array[] = [],
  ): Promise<'appended' | 'conflict'> {
    checkAppend(seq, entry, bodies);
    const { buffer, views } = together([entry, ...bodies]);
    const [own = entry, ...ownBodies] = views;
    return await this.#writer.call('append', { key, seq, entry: own, bodies: ownBodies }, [buffer]);
  }

  async read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    checkSeq(fromSeq);
    checkLimits(limits);
    return await this.#reader.call('read', { key, fromSeq, limits });
  }

  async readLast(key: string): Promise<LogRow | undefined> {
    return await this.#reader.call('readLast', { key });
  }

  async readBody(key: string, seq: number, index: number): Promise<Uint8Array | undefined> {
    checkSeq(seq);
    return await this.#reader.call('readBody', { key, seq, index });
  }

  async listKeys({ after, bucket, limit }: KeyPage): Promise<string[]> {
    checkLimit(limit);
    return await this.#reader.call('listKeys', { after, bucket, limit });
  }

  async putSnapshot(key: string, snapshot: StoredSnapshot): Promise<void> {
    const bytes = copy(snapshot.bytes);
    await this.#writer.call('putSnapshot', { key, snapshot: { ...snapshot, bytes } }, [bytes.buffer]);
  }

  async getSnapshot(key: string): Promise<StoredSnapshot | undefined> {
    return await this.#reader.call('getSnapshot', { key });
  }

  async putPages(key: string, pages: readonly StoredPage[]): Promise<void> {
    const own = pages.map(({ id, bytes }) => ({ id, bytes: copy(bytes) }));
    await this.#writer.call(
      'putPages',
      { key, pages: own },
      own.map(({ bytes }) => bytes.buffer),
    );
  }

  async getPages(key: string, ids: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return await this.#reader.call('getPages', { key, ids });
  }

  async deletePages(key: string, ids: readonly string[]): Promise<void> {
    await this.#writer.call('deletePages', { key, ids });
  }

  async dropSnapshot(key: string): Promise<void> {
    await this.#writer.call('dropSnapshot', { key });
  }

  async deleteKey(key: string): Promise<void> {
    await this.#writer.call('deleteKey', { key });
  }

  health(): true | string {
    return (this.#writer.starts && this.#reader.starts) || 'no thread can open the database any more';
  }

  async close(): Promise<void> {
    // The last one to close folds the write-ahead log into the file.
    await this.#reader.close();
    await this.#writer.close();
  }
}

/** Own memory, that can go to the thread as it is: a view may lie in a pool, which would be sent whole. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** The same for several: views of one piece of memory. */
function together(parts: readonly Uint8Array[]): { buffer: ArrayBuffer; views: Uint8Array[] } {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let end = 0;
  const views = parts.map((part) => {
    const start = end;
    end += part.byteLength;
    all.set(part, start);
    return all.subarray(start, end);
  });
  return { buffer: all.buffer, views };
}
