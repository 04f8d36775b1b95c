// Group commit: the writes that wait share one transaction, so one sync of the disk. Runs in the writer thread.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { hashKey } from '../../common/hash.ts';
import { certainlyNotCommitted, retryBusy } from './sqlite-store-file.ts';
import type { Answer, Failure, Operations, WriteCall } from './sqlite-store-protocol.ts';

/**
 * A transaction takes no more than this, so that the first of a burst doesn't wait for all of it: while the others are written, they are
 * answered and ask for more. Larger ones are no faster (`npm run bench:append`).
 */
const MAX_GROUP_CALLS = 32;
const MAX_GROUP_BYTES = 16 * 1024 * 1024;
/** A COMMIT that failed is repeated whole this often: each write has its condition, so a repeat does no harm. */
const COMMIT_TRIES = 3;

export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #busyDeadlineMs: number;
  readonly #insertEntry: StatementSync;
  readonly #insertBody: StatementSync;
  readonly #selectEntry: StatementSync;
  readonly #replaceSnapshot: StatementSync;
  readonly #insertPage: StatementSync;
  readonly #deletePage: StatementSync;
  /** What is forgotten with a snapshot, and what more with a whole key. */
  readonly #deleteSnapshot: StatementSync[];
  readonly #deleteLog: StatementSync[];

  constructor(db: DatabaseSync, busyDeadlineMs: number) {
    this.#db = db;
    this.#busyDeadlineMs = busyDeadlineMs;
    // The condition of the contract: no such entry, and the one before it is there. One statement when all is well; by number, as
    // looking for names takes longer than the condition.
    this.#insertEntry = db.prepare(`
      INSERT INTO entries (hash, key, seq, entry)
      SELECT ?1, ?2, ?3, ?4
      WHERE ?3 = 1 OR EXISTS (SELECT 1 FROM entries WHERE hash = ?1 AND key = ?2 AND seq = ?3 - 1)
      ON CONFLICT DO NOTHING`);
    this.#selectEntry = db.prepare('SELECT entry FROM entries WHERE hash = ? AND key = ? AND seq = ?');
    this.#insertBody = db.prepare('INSERT INTO bodies (hash, key, seq, number, body) VALUES (?, ?, ?, ?, ?)');
    this.#replaceSnapshot = db.prepare(
      'INSERT OR REPLACE INTO snapshots (hash, key, seq, format, bytes) VALUES (?, ?, ?, ?, ?)',
    );
    this.#insertPage = db.prepare('INSERT OR REPLACE INTO pages (hash, key, id, bytes) VALUES (?, ?, ?, ?)');
    this.#deletePage = db.prepare('DELETE FROM pages WHERE hash = ? AND key = ? AND id = ?');
    const deleteFrom = (table: string) => db.prepare(`DELETE FROM ${table} WHERE hash = ? AND key = ?`);
    this.#deleteSnapshot = ['snapshots', 'pages'].map(deleteFrom);
    this.#deleteLog = ['bodies', 'entries'].map(deleteFrom);
  }

  /** Takes the next group off the queue and makes it durable. @returns an answer for each call taken */
  runGroup(queue: WriteCall[]): Answer[] {
    const calls = takeGroup(queue);
    for (let tries = 1; ; tries++) {
      const outcome = this.#tryGroup(calls);
      if ('answers' in outcome) return outcome.answers;
      if (outcome.failure.kind === 'unknown' && tries < COMMIT_TRIES) continue;
      return calls.map(({ id }) => ({ id, failure: outcome.failure }));
    }
  }

  #tryGroup(calls: WriteCall[]): { answers: Answer[] } | { failure: Failure } {
    let committing = false;
    try {
      retryBusy(this.#busyDeadlineMs, () => this.#db.exec('BEGIN IMMEDIATE'));
      const answers = calls.map((call) => this.#write(call));
      committing = true;
      this.#db.exec('COMMIT');
      return { answers };
    } catch (error) {
      this.#rollback();
      const message = error instanceof Error ? error.message : String(error);
      return {
        failure: { kind: committing && !certainlyNotCommitted(error) ? 'unknown' : 'unavailable', message },
      };
    }
  }

  #write(call: WriteCall): Answer {
    const { id, key } = call;
    const hash = hashKey(key).bytes;
    switch (call.name) {
      case 'append':
        return this.#append(call);
      case 'putSnapshot':
        this.#replaceSnapshot.run(hash, key, call.snapshot.seq, call.snapshot.format, call.snapshot.bytes);
        break;
      case 'putPages':
        for (const page of call.pages)
          this.#insertPage.run(hash, key, Buffer.from(page.id, 'hex'), page.bytes);
        break;
      case 'deletePages':
        for (const page of call.ids) this.#deletePage.run(hash, key, Buffer.from(page, 'hex'));
        break;
      case 'dropSnapshot':
        for (const statement of this.#deleteSnapshot) statement.run(hash, key);
        break;
      case 'deleteKey':
        for (const statement of [...this.#deleteSnapshot, ...this.#deleteLog]) statement.run(hash, key);
        break;
      default:
        call satisfies never;
    }
    return { id, value: undefined };
  }

  #append({ id, key, seq, entry, bodies }: Extract<WriteCall, { name: 'append' }>): Answer {
    const hash = hashKey(key).bytes;
    if (this.#insertEntry.run(hash, key, seq, entry).changes === 1) {
      for (const [number, body] of bodies.entries()) this.#insertBody.run(hash, key, seq, number, body);
      return { id, value: 'appended' };
    }
    const there = this.#selectEntry.get(hash, key, seq)?.entry;
    if (!(there instanceof Uint8Array))
      return { id, failure: { kind: 'gap', message: `entry ${seq - 1} of ${key} does not exist` } };
    const value: Operations['append']['answer'] =
      Buffer.compare(there, entry) === 0 ? 'appended' : 'conflict';
    return { id, value };
  }

  #rollback(): void {
    // SQLite has rolled back by itself after the worst errors.
    if (!this.#db.isTransaction) return;
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // The next BEGIN says what is wrong.
    }
  }
}

function takeGroup(queue: WriteCall[]): WriteCall[] {
  let bytes = 0;
  let count = 0;
  for (const call of queue) {
    bytes += sizeBytes(call);
    if (count > 0 && (count === MAX_GROUP_CALLS || bytes > MAX_GROUP_BYTES)) break;
    count++;
  }
  return queue.splice(0, count);
}

function sizeBytes(call: WriteCall): number {
  switch (call.name) {
    case 'append':
      return call.bodies.reduce((sum, body) => sum + body.byteLength, call.entry.byteLength);
    case 'putSnapshot':
      return call.snapshot.bytes.byteLength;
    case 'putPages':
      return call.pages.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    default:
      return 0;
  }
}
