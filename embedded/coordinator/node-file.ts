// The persistent nodes of the embedded coordinator on disk: written before a change is acknowledged.
import { chmodSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { ConfigError } from '../../workloads/common/config/env.ts';

const FORMAT = 1;

export type StoredNode = {
  path: string;
  data: Uint8Array;
  czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
};

export class NodeFile {
  /** Rises with each start; the upper half of transaction numbers, so that they rise over restarts. */
  readonly epoch: number;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  /** @throws ConfigError when the file is of a newer format or no such file at all */
  constructor(file: string) {
    this.#database = openDatabase(file);
    this.epoch = this.#nextEpoch();
    this.#put = this.#database.prepare(
      `INSERT INTO nodes (path, data, czxid, mzxid, pzxid, version) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (path) DO UPDATE SET data = excluded.data, mzxid = excluded.mzxid, pzxid = excluded.pzxid,
       version = excluded.version`,
    );
    this.#remove = this.#database.prepare('DELETE FROM nodes WHERE path = ?');
  }

  /** All nodes, parents before children. */
  load(): StoredNode[] {
    return this.#database
      .prepare('SELECT path, data, czxid, mzxid, pzxid, version FROM nodes ORDER BY path')
      .all() as StoredNode[];
  }

  put(node: StoredNode): void {
    this.#put.run(node.path, node.data, node.czxid, node.mzxid, node.pzxid, node.version);
  }

  remove(path: string): void {
    this.#remove.run(path);
  }

  close(): void {
    this.#database.close();
  }

  #nextEpoch(): number {
    const row = this.#database
      .prepare("UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value")
      .get();
    return Number(row?.value);
  }
}

function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file);
    chmodSync(file, 0o600);
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT OR IGNORE INTO meta VALUES ('format', ${FORMAT}), ('epoch', 0);
      CREATE TABLE IF NOT EXISTS nodes (
        path TEXT PRIMARY KEY, data BLOB NOT NULL, czxid INTEGER NOT NULL, mzxid INTEGER NOT NULL,
        pzxid INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;`);
  } catch (error) {
    throw new ConfigError(
      `${file} can't be opened as the coordinator's file: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const format = Number(database.prepare("SELECT value FROM meta WHERE name = 'format'").get()?.value);
  if (format === FORMAT) return database;
  database.close();
  throw new ConfigError(`${file} has format ${format}; this version knows ${FORMAT}.`);
}
