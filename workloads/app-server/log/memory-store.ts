// A log store in the memory of one process, for tests and simulations. Several stores may share one MemoryLogs, as app
// servers share a database; closing a store keeps the logs.
import { hashKey } from '../../common/hash.ts';
import {
  SequenceGap,
  StoreUnavailable,
  type LogRow,
  type LogStore,
  type KeyPage,
  type ReadLimits,
  type StoredPage,
  type StoredSnapshot,
} from './log-store.ts';
import { checkAppend, checkLimit, checkLimits, checkSeq } from './store-checks.ts';

type StoredEntry = { entry: Uint8Array; bodies: Uint8Array[] };

/** What the "disk" of memory stores holds. Entry `seq` of a key is at index `seq - 1`. */
export class MemoryLogs {
  readonly entries = new Map<string, StoredEntry[]>();
  readonly snapshots = new Map<string, StoredSnapshot>();
  /** By key and id. */
  readonly pages = new Map<string, Map<string, Uint8Array>>();
}

export class MemoryStore implements LogStore {
  readonly #logs: MemoryLogs;
  #closed = false;

  constructor(logs: MemoryLogs = new MemoryLogs()) {
    this.#logs = logs;
  }

  async append(
    key: string,
    seq: number,
    entry: Uint8Array,
    bodies: readonly Uint8Array[] = [],
  ): Promise<'appended' | 'conflict'> {
    this.#assertOpen();
    checkAppend(seq, entry, bodies);
    const log = this.#logs.entries.get(key) ?? [];
    const there = log[seq - 1];
    if (there) return Buffer.compare(there.entry, entry) === 0 ? 'appended' : 'conflict';
    if (log.length < seq - 1) throw new SequenceGap(`entry ${seq - 1} of ${key} does not exist`);
    log.push({ entry: new Uint8Array(entry), bodies: bodies.map((body) => new Uint8Array(body)) });
    this.#logs.entries.set(key, log);
    return 'appended';
  }

  async read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    this.#assertOpen();
    checkSeq(fromSeq);
    checkLimits(limits);
    const log = this.#logs.entries.get(key) ?? [];
    const rows: LogRow[] = [];
    let bytes = 0;
    for (let seq = fromSeq; seq <= log.length && rows.length < limits.limit; seq++) {
      const entry = copy(log[seq - 1]?.entry);
      if (!entry) break;
      rows.push({ seq, entry });
      bytes += entry.byteLength;
      if (bytes >= limits.maxBytes) break;
    }
    return rows;
  }

  async readLast(key: string): Promise<LogRow | undefined> {
    this.#assertOpen();
    const log = this.#logs.entries.get(key) ?? [];
    const entry = copy(log.at(-1)?.entry);
    return entry && { seq: log.length, entry };
  }

  async readBody(key: string, seq: number, index: number): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    checkSeq(seq);
    return copy(this.#logs.entries.get(key)?.[seq - 1]?.bodies[index]);
  }

  /** In the order of hash and key, as the other stores have it. Sorts all keys: fit for tests only. */
  async listKeys({ after, bucket, limit }: KeyPage): Promise<string[]> {
    this.#assertOpen();
    checkLimit(limit);
    const place = (key: string) => Buffer.concat([hashKey(key).bytes, Buffer.from(key)]);
    const from = after === undefined ? undefined : place(after);
    return [...this.#logs.entries.keys()]
      .filter((key) => bucket === undefined || hashKey(key).bucket === bucket)
      .map((key) => ({ key, place: place(key) }))
      .filter((one) => !from || Buffer.compare(one.place, from) > 0)
      .sort((a, b) => Buffer.compare(a.place, b.place))
      .slice(0, limit)
      .map((one) => one.key);
  }

  async putSnapshot(key: string, snapshot: StoredSnapshot): Promise<void> {
    this.#assertOpen();
    this.#logs.snapshots.set(key, { ...snapshot, bytes: new Uint8Array(snapshot.bytes) });
  }

  async getSnapshot(key: string): Promise<StoredSnapshot | undefined> {
    this.#assertOpen();
    const snapshot = this.#logs.snapshots.get(key);
    return snapshot && { ...snapshot, bytes: new Uint8Array(snapshot.bytes) };
  }

  async putPages(key: string, pages: readonly StoredPage[]): Promise<void> {
    this.#assertOpen();
    const stored = this.#logs.pages.get(key) ?? new Map<string, Uint8Array>();
    this.#logs.pages.set(key, stored);
    for (const { id, bytes } of pages) stored.set(id, new Uint8Array(bytes));
  }

  async getPages(key: string, ids: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    const stored = this.#logs.pages.get(key);
    return ids.map((id) => copy(stored?.get(id)));
  }

  async deletePages(key: string, ids: readonly string[]): Promise<void> {
    this.#assertOpen();
    for (const id of ids) this.#logs.pages.get(key)?.delete(id);
  }

  async dropSnapshot(key: string): Promise<void> {
    this.#assertOpen();
    this.#logs.snapshots.delete(key);
    this.#logs.pages.delete(key);
  }

  async deleteKey(key: string): Promise<void> {
    await this.dropSnapshot(key);
    this.#logs.entries.delete(key);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
  }
}

/** Buffer's own slice would share memory; a caller may change what it gave or got. */
function copy(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && new Uint8Array(bytes);
}
