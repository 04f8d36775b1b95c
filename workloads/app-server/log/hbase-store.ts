// The log store over HBase. An append is one conditional write of one row; what an attempt without an answer has done is
// settled by reading the row, for the bytes of an entry name its writer.
import { LRUCache } from 'lru-cache';
import { ConfigError } from '../../common/config/env.ts';
import { HbaseClient } from '../../common/hbase/client.ts';
import { HbaseError, HbaseUnavailable, mayHaveRun, ServerException } from '../../common/hbase/errors.ts';
import { getRow, putRow, scanRows } from '../../common/hbase/rows.ts';
import type { Logger } from '../../common/log.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import { AppendGroups, MAX_GROUPS_UNDER_WAY } from './hbase-store-groups.ts';
import { PageRows } from './hbase-store-pages.ts';
import {
  ENTRY,
  SNAPSHOT,
  PAGE,
  bodyColumn,
  bucketRows,
  endRow,
  entryPut,
  entryRow,
  keyOfRow,
  keyRow,
  pagePut,
  pageRow,
  readSnapshot,
  seqOfRow,
  snapshotPut,
} from './hbase-store-rows.ts';
import {
  EntryTooLarge,
  OutcomeUnknown,
  SequenceGap,
  StoreUnavailable,
  type KeyPage,
  type LogRow,
  type LogStore,
  type ReadLimits,
  type StoredPage,
  type StoredSnapshot,
} from './log-store.ts';
import { checkAppend, checkLimit, checkLimits, checkSeq } from './store-checks.ts';

/** Keys of whom the highest sequence seen is remembered, to spare a read before each append. */
const MAX_KNOWN_TAILS = 200_000;
/** An append is tried for so long: a region server's crash and recovery fit in. */
const APPEND_DEADLINE_MS = 25_000;
/** Then the row is read, to settle what became of it. */
const SETTLE_DEADLINE_MS = 5_000;
const READ_DEADLINE_MS = 20_000;
/**
 * How far the clock of a region server may be behind those of app servers, by which entries are timed, and behind its own of
 * before. HBase itself turns servers away whose clocks are 30 s apart when they start; jumps come later.
 */
const MAX_CLOCKS_APART_MS = 300_000;
const URL_SHAPE = /^hbase:\/\/(?<hosts>[^/]+)\/(?<table>[A-Za-z0-9_.-]+)$/;

/** @param url `hbase://host:port,host:port/table`; nothing is connected yet @throws ConfigError */
export async function openHbaseStore(
  url: string,
  options: { logger?: Logger; metrics?: WorkloadMetrics } = {},
): Promise<LogStore> {
  const groups = URL_SHAPE.exec(url)?.groups;
  if (!groups?.hosts || !groups.table) {
    throw new ConfigError(`CELLPOST_LOG_STORE: ${JSON.stringify(url)} is not hbase://host:port,…/table`);
  }
  const client = new HbaseClient({ bootstrap: groups.hosts.split(','), ...options });
  return new HbaseStore(client, groups.table, options.metrics);
}

class HbaseStore implements LogStore {
  readonly #client: HbaseClient;
  readonly #table: string;
  readonly #groups: AppendGroups;
  readonly #pages: PageRows;
  readonly #tails = new LRUCache<string, number>({ max: MAX_KNOWN_TAILS });
  /** Calls under way. */
  #working = 0;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(client: HbaseClient, table: string, metrics: WorkloadMetrics | undefined) {
    this.#client = client;
    this.#table = table;
    this.#groups = new AppendGroups(client, table);
    metrics?.queue('append_groups', () => this.#groups.underWay, MAX_GROUPS_UNDER_WAY);
    metrics?.queue('appends_waiting', () => this.#groups.waiting);
    this.#pages = new PageRows(client, table);
  }

  append(
    key: string,
    seq: number,
    given: Uint8Array,
    givenBodies: readonly Uint8Array[] = [],
  ): Promise<'appended' | 'conflict'> {
    return this.#track(async () => {
      checkAppend(seq, given, givenBodies);
      // The write may come later, or again: what the caller does to its buffers meanwhile is no part of it.
      const entry = Buffer.from(given);
      const bodies = givenBodies.map((body) => Buffer.from(body));
      const gap = !(await this.#reaches(key, seq - 1));
      // Without the entry before it nothing is written; what is there already is told all the same.
      if (gap) return await this.#compare(key, seq, entry, READ_DEADLINE_MS, 'gap');
      try {
        const put = entryPut(key, seq, entry, bodies);
        const absent = { row: put.row, family: ENTRY.family, qualifier: ENTRY.qualifier, exists: false };
        const written = await this.#groups.put(put, absent, APPEND_DEADLINE_MS);
        if (!written) return await this.#compare(key, seq, entry, READ_DEADLINE_MS, 'none');
        this.#remember(key, seq);
        return 'appended';
      } catch (error) {
        if (!mayHaveRun(error)) throw error;
        return await this.#compare(key, seq, entry, SETTLE_DEADLINE_MS, 'unknown').catch(
          (settling: unknown) => {
            if (settling instanceof OutcomeUnknown) throw settling;
            throw new OutcomeUnknown(`${key}: what became of entry ${seq} is not known`, { cause: error });
          },
        );
      }
    });
  }

  read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    return this.#track(async () => {
      checkSeq(fromSeq);
      checkLimits(limits);
      const rows: LogRow[] = [];
      let bytes = 0;
      for (let next = fromSeq; rows.length < limits.limit;) {
        const { rows: part, done } = await scanRows(this.#client, this.#table, {
          from: entryRow(key, next),
          to: endRow(key),
          where: ENTRY,
          limit: limits.limit - rows.length,
          maxBytes: Math.max(1, Math.min(MAX_SCAN_BYTES, limits.maxBytes)),
          deadlineMs: READ_DEADLINE_MS,
        });
        for (const { row, cells } of part) {
          const entry = new Uint8Array(cells[0]?.value ?? []);
          const seq = seqOfRow(row);
          rows.push({ seq, entry });
          bytes += entry.length;
          next = seq + 1;
          if (bytes >= limits.maxBytes) return rows;
        }
        if (done || part.length === 0) break;
      }
      return rows;
    });
  }

  readLast(key: string): Promise<LogRow | undefined> {
    return this.#track(async () => {
      const { rows } = await scanRows(this.#client, this.#table, {
        from: endRow(key),
        to: keyRow(key),
        where: ENTRY,
        limit: 1,
        reversed: true,
        deadlineMs: READ_DEADLINE_MS,
      });
      const [last] = rows;
      if (!last) return undefined;
      const seq = seqOfRow(last.row);
      this.#remember(key, seq);
      return { seq, entry: new Uint8Array(last.cells[0]?.value ?? []) };
    });
  }

  readBody(key: string, seq: number, index: number): Promise<Uint8Array | undefined> {
    return this.#track(async () => {
      checkSeq(seq);
      return await this.#value(entryRow(key, seq), bodyColumn(index));
    });
  }

  listKeys({ after, bucket, limit, writtenSinceMs }: KeyPage): Promise<string[]> {
    return this.#track(async () => {
      checkLimit(limit);
      const keys: string[] = [];
      const regions = await this.#client.regions(this.#table);
      const all =
        bucket === undefined ? { from: new Uint8Array(), to: new Uint8Array() } : bucketRows(bucket);
      let from: Uint8Array = all.from;
      if (after !== undefined && Buffer.compare(endRow(after), from) > 0) from = endRow(after);
      for (const { startKey, endKey } of regions) {
        if (endKey.length > 0 && Buffer.compare(endKey, from) <= 0) continue;
        if (Buffer.compare(from, startKey) < 0) from = startKey;
        const to = earlierEnd(endKey, all.to);
        while (keys.length < limit && (to.length === 0 || Buffer.compare(from, to) < 0)) {
          // One look a key: its first row, then past all its rows.
          const { rows } = await scanRows(this.#client, this.#table, {
            from,
            to,
            where: ENTRY,
            limit: 1,
            sinceMs: writtenSinceMs && Math.max(0, writtenSinceMs - MAX_CLOCKS_APART_MS),
            deadlineMs: READ_DEADLINE_MS,
          });
          const [first] = rows;
          if (!first) break;
          const key = keyOfRow(first.row);
          keys.push(key);
          from = endRow(key);
        }
        if (keys.length >= limit) break;
      }
      return keys;
    });
  }

  putSnapshot(key: string, snapshot: StoredSnapshot): Promise<void> {
    return this.#track(async () => {
      checkSeq(snapshot.seq);
      if (snapshot.bytes.length > MAX_SNAPSHOT_BYTES)
        throw new EntryTooLarge(`a snapshot of ${snapshot.bytes.length} bytes is over ${MAX_SNAPSHOT_BYTES}`);
      const time = { deadlineMs: READ_DEADLINE_MS };
      const put = snapshotPut(key, snapshot);
      // The newest is what is read: newer than the one before, which a server may have stored whose clock was ahead.
      const [before] = await getRow(this.#client, this.#table, put.row, SNAPSHOT, {
        ...time,
        keysOnly: true,
      });
      const timestampMs = before && Math.max(Date.now(), before.timestampMs + 1);
      await putRow(this.#client, this.#table, { ...put, timestampMs }, undefined, time);
    });
  }

  getSnapshot(key: string): Promise<StoredSnapshot | undefined> {
    return this.#track(async () => {
      const value = await this.#value(keyRow(key), SNAPSHOT);
      return value && readSnapshot(value);
    });
  }

  putPages(key: string, pages: readonly StoredPage[]): Promise<void> {
    return this.#track(() => this.#pages.put(pages.map((page) => pagePut(key, page))));
  }

  getPages(key: string, ids: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#track(() => this.#pages.get(ids.map((id) => pageRow(key, id))));
  }

  deletePages(key: string, ids: readonly string[]): Promise<void> {
    return this.#track(() => this.#pages.delete(ids.map((id) => pageRow(key, id))));
  }

  dropSnapshot(key: string): Promise<void> {
    return this.#track(() => this.#pages.deleteAll(key, [PAGE.family]));
  }

  deleteKey(key: string): Promise<void> {
    return this.#track(async () => {
      this.#tails.delete(key);
      await this.#pages.deleteAll(key, [PAGE.family, ENTRY.family]);
    });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#idle().then(() => this.#client.close()));
  }

  async #idle(): Promise<void> {
    if (this.#working > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
  }

  /** Is there an entry of this number? Entries are never removed, so a yes is remembered. */
  async #reaches(key: string, seq: number): Promise<boolean> {
    if (seq === 0 || (this.#tails.get(key) ?? 0) >= seq) return true;
    if ((await this.#value(entryRow(key, seq), ENTRY)) === undefined) return false;
    this.#remember(key, seq);
    return true;
  }

  /** What lies under a number: these bytes, others, or nothing; then `absent` says what that means. */
  async #compare(
    key: string,
    seq: number,
    entry: Uint8Array,
    deadlineMs: number,
    absent: 'gap' | 'none' | 'unknown',
  ): Promise<'appended' | 'conflict'> {
    const stored = await this.#value(entryRow(key, seq), ENTRY, deadlineMs);
    if (stored) {
      this.#remember(key, seq);
      return Buffer.compare(stored, entry) === 0 ? 'appended' : 'conflict';
    }
    if (absent === 'gap') throw new SequenceGap(`${key}: there is no entry ${seq - 1}`);
    if (absent === 'unknown') throw new OutcomeUnknown(`${key}: entry ${seq} may still come to be`);
    throw new HbaseError(`${key}: entry ${seq} was there and is gone`);
  }

  async #value(
    row: Uint8Array,
    column: { family: string; qualifier: Uint8Array },
    deadlineMs = READ_DEADLINE_MS,
  ): Promise<Uint8Array | undefined> {
    const [cell] = await getRow(this.#client, this.#table, row, column, { deadlineMs });
    return cell && new Uint8Array(cell.value);
  }

  #remember(key: string, seq: number): void {
    if ((this.#tails.get(key) ?? 0) < seq) this.#tails.set(key, seq);
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new StoreUnavailable('the store is closed');
    this.#working++;
    try {
      return await work();
    } catch (error) {
      throw storeError(error);
    } finally {
      this.#working--;
      if (this.#working === 0) this.#whenIdle?.();
    }
  }
}

/** An empty end is the end of the table. */
function earlierEnd(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  return b.length === 0 || Buffer.compare(a, b) < 0 ? a : b;
}

/** One response of a replay. */
const MAX_SCAN_BYTES = 4 * 1024 * 1024;
/** HBase takes values of up to 10 MB, the head of the snapshot among them. */
const MAX_SNAPSHOT_BYTES = 10_000_000;

/** HBase's errors in the words of log-store.ts; those of the store and of callers stay. */
function storeError(error: unknown): unknown {
  if (error instanceof HbaseUnavailable || error instanceof HbaseError || error instanceof ServerException) {
    return new StoreUnavailable(error.message, { cause: error });
  }
  return error;
}
