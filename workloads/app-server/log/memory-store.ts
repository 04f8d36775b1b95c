// A log store in the memory of one process, for tests and simulations. Several stores may share one MemoryLogs, as app
// servers share a database; closing a store keeps the logs.
import { hashKey } from '../../common/hash.ts';
import {
  SequenceGap,
  StoreUnavailable,
  type LogRow,
  type LogStore,
  type ReadLimits,
  type StoredSnapshot,
} from './log-store.ts';
import { checkAppend, checkLimit, checkLimits, checkSeq } from './store-checks.ts';

type StoredEntry = { entry: Uint8Array; bodies: Uint8Array[] };

/** What the "disk" of memory stores holds. Entry `seq` of a key is at index `seq - 1`. */
export class MemoryLogs {
  readonly entries = new Map<string, StoredEntry[]>();
  readonly snapshots = new Map<string, StoredSnapshot>();
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
  async listKeys({ after, limit }: { after?: string; limit: number }): Promise<string[]> {
    this.#assertOpen();
    checkLimit(limit);
    const place = (key: string) => Buffer.concat([hashKey(key).bytes, Buffer.from(key)]);
    const from = after === undefined ? undefined : place(after);
    return [...this.#logs.entries.keys()]
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
