// Reads of a SQLite log store, on a connection of their own: they see every transaction that was committed before they
// began, and never wait for a sync. Runs in the reader thread.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { hashKey } from '../../common/hash.ts';
import type { KeyPage, LogRow, StoredSnapshot } from './log-store.ts';
import { retryBusy } from './sqlite-store-file.ts';
import type { Answer, Operations, ReadCall, ReadName } from './sqlite-store-protocol.ts';

export class SqliteReader {
  readonly #busyDeadlineMs: number;
  readonly #rows: StatementSync;
  readonly #last: StatementSync;
  readonly #body: StatementSync;
  readonly #nextKey: StatementSync;
  readonly #snapshot: StatementSync;
  readonly #page: StatementSync;

  constructor(db: DatabaseSync, busyDeadlineMs: number) {
    this.#busyDeadlineMs = busyDeadlineMs;
    this.#rows = db.prepare(
      'SELECT seq, entry FROM entries WHERE hash = ? AND key = ? AND seq >= ? ORDER BY seq LIMIT ?',
    );
    this.#last = db.prepare(
      'SELECT seq, entry FROM entries WHERE hash = ? AND key = ? ORDER BY seq DESC LIMIT 1',
    );
    this.#body = db.prepare('SELECT body FROM bodies WHERE hash = ? AND key = ? AND seq = ? AND number = ?');
    // One seek a key: all entries of the key before it are jumped over.
    this.#nextKey = db.prepare(
      'SELECT hash, key FROM entries WHERE (hash, key) > (?, ?) ORDER BY hash, key LIMIT 1',
    );
    this.#snapshot = db.prepare('SELECT seq, format, bytes FROM snapshots WHERE hash = ? AND key = ?');
    this.#page = db.prepare('SELECT bytes FROM pages WHERE hash = ? AND key = ? AND id = ?');
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
    if (call.name === 'listKeys') return this.#listKeys(call);
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
      case 'getPages':
        return call.ids.map((id) => bytesOf(this.#page.get(hash, call.key, Buffer.from(id, 'hex'))?.bytes));
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

  #listKeys({ after, bucket, limit }: KeyPage): string[] {
    const keys: string[] = [];
    // Before all keys of the bucket: their hashes begin with it.
    let place: [hash: Uint8Array, key: string] = [bucketHash(bucket ?? 0), ''];
    if (after !== undefined && Buffer.compare(hashKey(after).bytes, place[0]) > 0)
      place = [hashKey(after).bytes, after];
    while (keys.length < limit) {
      const row = this.#nextKey.get(...place);
      const hash = bytesOf(row?.hash);
      if (typeof row?.key !== 'string' || !hash) break;
      if (bucket !== undefined && Buffer.compare(hash.subarray(0, 2), bucketHash(bucket)) !== 0) break;
      place = [hash, row.key];
      keys.push(row.key);
    }
    return keys;
  }
}

function bucketHash(bucket: number): Uint8Array {
  return Uint8Array.of(bucket >>> 8, bucket);
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
