// Reads of a SQLite log store, on a connection of their own: they see every transaction that was committed before they
// began, and never wait for a sync. Runs in the reader thread.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { hashKey } from '../../common/hash.ts';
import type { LogRow, StoredSnapshot } from './log-store.ts';
import { retryBusy } from './sqlite-store-file.ts';
import type { Answer, Operations, ReadCall, ReadName } from './sqlite-store-protocol.ts';

export class SqliteReader {
  readonly #busyDeadlineMs: number;
  readonly #rows: StatementSync;
  readonly #last: StatementSync;
  readonly #body: StatementSync;
  readonly #firstKey: StatementSync;
  readonly #nextKey: StatementSync;
  readonly #snapshot: StatementSync;

  constructor(db: DatabaseSync, busyDeadlineMs: number) {
    this.#busyDeadlineMs = busyDeadlineMs;
    this.#rows = db.prepare(
      'SELECT seq, entry FROM entries WHERE hash = ? AND key = ? AND seq >= ? ORDER BY seq LIMIT ?',
    );
    this.#last = db.prepare(
      'SELECT seq, entry FROM entries WHERE hash = ? AND key = ? ORDER BY seq DESC LIMIT 1',
    );
    this.#body = db.prepare('SELECT body FROM bodies WHERE hash = ? AND key = ? AND seq = ? AND number = ?');
    this.#firstKey = db.prepare('SELECT key FROM entries ORDER BY hash, key LIMIT 1');
    // One seek a key: all entries of the key before it are jumped over.
    this.#nextKey = db.prepare(
      'SELECT key FROM entries WHERE (hash, key) > (?, ?) ORDER BY hash, key LIMIT 1',
    );
    this.#snapshot = db.prepare('SELECT seq, format, bytes FROM snapshots WHERE hash = ? AND key = ?');
  }

  run(call: ReadCall): Answer {
    try {
      return { id: call.id, value: retryBusy(this.#busyDeadlineMs, () => this.#read(call)) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { id: call.id, failure: { kind: 'unavailable', message } };
    }
  }

  #read(call: ReadCall): Operations[ReadName]['answer'] {
    if (call.name === 'listKeys') return this.#listKeys(call.after, call.limit);
    const hash = hashKey(call.key).bytes;
    switch (call.name) {
      case 'read':
        return this.#readRows(hash, call);
      case 'readLast':
        return logRow(this.#last.get(hash, call.key));
      case 'readBody':
        return bytesOf(this.#body.get(hash, call.key, call.seq, call.index)?.body);
      case 'getSnapshot':
        return snapshotOf(this.#snapshot.get(hash, call.key));
    }
  }

  #readRows(hash: Uint8Array, call: Extract<ReadCall, { name: 'read' }>): LogRow[] {
    const rows: LogRow[] = [];
    let bytes = 0;
    for (const found of this.#rows.iterate(hash, call.key, call.fromSeq, call.limits.limit)) {
      const row = logRow(found);
      if (!row) break;
      rows.push(row);
      bytes += row.entry.byteLength;
      if (bytes >= call.limits.maxBytes) break;
    }
    return rows;
  }

  #listKeys(after: string | undefined, limit: number): string[] {
    const keys: string[] = [];
    let last = after;
    while (keys.length < limit) {
      const row = last === undefined ? this.#firstKey.get() : this.#nextKey.get(hashKey(last).bytes, last);
      if (typeof row?.key !== 'string') break;
      last = row.key;
      keys.push(last);
    }
    return keys;
  }
}

type Row = Record<string, unknown> | undefined;

function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined;
}

function logRow(row: Row): LogRow | undefined {
  const entry = bytesOf(row?.entry);
  return entry && { seq: Number(row?.seq), entry };
}

function snapshotOf(row: Row): StoredSnapshot | undefined {
  const bytes = bytesOf(row?.bytes);
  return bytes && { seq: Number(row?.seq), format: Number(row?.format), bytes };
}
