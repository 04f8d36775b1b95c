// The file of a SQLite log store: its format, its settings, and what SQLite's error codes mean.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Raised with each change of the tables that an older program would misread. */
const FORMAT = 1;
/** "CPLG": tells our file from any other SQLite database. */
const APPLICATION_ID = 0x43504c47;
/** After a checkpoint the write-ahead log is cut back to this, so that one burst doesn't hold disk space for ever. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;
/** A page cache for each connection: inner nodes and the ends of busy logs. */
const CACHE_KIB = 8 * 1024;

/**
 * Rows lie by hash, key, number: a log is one range, and logs are spread as in any other store. Bodies and snapshots
 * have tables of their own, so that a replay reads no bodies. (A file that is older than a table gets it; so none needs a new
 * format.)
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (
    hash BLOB NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, entry BLOB NOT NULL,
    PRIMARY KEY (hash, key, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS bodies (
    hash BLOB NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (hash, key, seq, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS snapshots (
    hash BLOB NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, format INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (hash, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pages (
    hash BLOB NOT NULL, key TEXT NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (hash, key, id)
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** The file can't be used by this program; the message says why. */
export class UnusableFile extends Error {
  override name = 'UnusableFile';
}

/**
 * Opens the file, or makes it, with full durability: a transaction is on the disk when COMMIT returns. Several processes
 * may do so at once.
 * @throws UnusableFile; SQLite's errors
 */
export function openFile(file: string, busyDeadlineMs: number): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  const isNew = !existsSync(file);
  const db = new DatabaseSync(file, { timeout: busyDeadlineMs });
  try {
    // Mail is its owner's: other accounts of the machine can't read it. SQLite gives -wal and -shm the same mode.
    if (isNew) chmodSync(file, 0o600);
    // The mode of the journal outlives the connection; everything else is said each time.
    retryBusy(busyDeadlineMs, () => db.exec('PRAGMA journal_mode = WAL'));
    db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
    db.exec(`PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}; PRAGMA cache_size = -${CACHE_KIB}`);
    retryBusy(busyDeadlineMs, () => db.exec('BEGIN IMMEDIATE'));
    try {
      checkFormat(db, file);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
    // From here on waiting is our own (retryBusy): SQLite's own steps of up to 100 ms starve a busy neighbour.
    db.exec('PRAGMA busy_timeout = 0');
    return db;
  } catch (error) {
    db.close();
    if (primaryCode(error) === NOT_A_DATABASE)
      throw new UnusableFile(`${file} is not a database of Cellpost.`);
    throw error;
  }
}

function checkFormat(db: DatabaseSync, file: string): void {
  const application = pragma(db, 'application_id');
  const format = pragma(db, 'user_version');
  if (application === APPLICATION_ID && format === FORMAT) return void db.exec(SCHEMA);
  if (application === APPLICATION_ID) {
    throw new UnusableFile(
      `${file} has format ${format}, made by a ${format > FORMAT ? 'newer' : 'much older'} Cellpost; this one reads format ${FORMAT}.`,
    );
  }
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get();
  if (application !== 0 || tables?.count !== 0)
    throw new UnusableFile(`${file} is not a database of Cellpost.`);
  db.exec(SCHEMA);
}

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

const BUSY = 5;
const LOCKED = 6;
const FULL = 13;
const PROTOCOL = 15;
const NOT_A_DATABASE = 26;

/** SQLite's primary result code; undefined for an error of something else. */
function primaryCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

/** Another connection holds what this one needs. */
function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === BUSY || code === LOCKED || code === PROTOCOL;
}

/** A failed COMMIT that certainly left nothing behind: the last frame, which makes it valid, was never written whole. */
export function certainlyNotCommitted(error: unknown): boolean {
  return isBusy(error) || primaryCode(error) === FULL;
}

/** Between two tries for a lock; a transaction of another process takes about this long. */
const BUSY_PAUSE_MS = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Repeats `step` while another connection is in its way; gives up at the deadline. Blocks: for worker threads. */
export function retryBusy<T>(deadlineMs: number, step: () => T): T {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      Atomics.wait(pause, 0, 0, BUSY_PAUSE_MS * (0.5 + Math.random()));
    }
  }
}
