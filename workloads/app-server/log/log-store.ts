// The durable log behind an app server: entries 1, 2, 3 … of a key, without gaps, each written by one atomic
// conditional write. Implementations: memory, SQLite, HBase; test/conformance/log-store.test.ts is what they promise.

/** A key is `user:<userId>` or `address:<address>`; see workloads/common/keys.ts. */
export type LogRow = {
  /** 1 and up. */
  seq: number;
  entry: Uint8Array;
};

export type ReadLimits = {
  /** At most this many rows. */
  limit: number;
  /** Stop after the row that takes the sum of entries to this many bytes; at least one row is returned. */
  maxBytes: number;
};

export type StoredSnapshot = {
  /** The image is the fold of entries 1 to seq. */
  seq: number;
  /** The format of `bytes`; a reader ignores a snapshot of a format it doesn't know. */
  format: number;
  bytes: Uint8Array;
};

/** A part of an image, named by the hash of its bytes: 32 hexadecimal digits. */
export type StoredPage = { id: string; bytes: Uint8Array };

export type KeyPage = {
  after?: string | undefined;
  bucket?: number | undefined;
  limit: number;
  /**
   * Keys whose entries were all stored before this time may be left out, by a store that can tell them cheaply; its own
   * clocks may be behind.
   */
  writtenSinceMs?: number | undefined;
};

export interface LogStore {
  /**
   * Writes entry `seq` of `key` with its bodies, durably, if and only if there is no such entry yet and entry `seq - 1`
   * exists (or seq is 1).
   * @returns 'appended' when the bytes stored are these; 'conflict' when another entry has that number.
   * @throws StoreUnavailable when it was certainly not written; OutcomeUnknown when that could not be found out in time;
   *   SequenceGap when entry `seq - 1` does not exist; EntryTooLarge.
   */
  append(
    key: string,
    seq: number,
    entry: Uint8Array,
    bodies?: readonly Uint8Array[],
  ): Promise<'appended' | 'conflict'>;

  /** Rows from `fromSeq` on, in order; less than both limits allow only at the end of the log. Bodies are not read. */
  read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]>;

  /** The newest row, or undefined for a key without a log. */
  readLast(key: string): Promise<LogRow | undefined>;

  /** Body number `index` (0 and up) of entry `seq`; undefined when there is none. */
  readBody(key: string, seq: number, index: number): Promise<Uint8Array | undefined>;

  /**
   * Keys that have a log, in the order of their hashes, after the key `after`; for counting, verification and moves.
   * `bucket`: only keys of this bucket of the discovery map.
   */
  listKeys(page: KeyPage): Promise<string[]>;

  /** Replaces the snapshot of a key. A snapshot is an aid: losing or corrupting it loses nothing. */
  putSnapshot(key: string, snapshot: StoredSnapshot): Promise<void>;
  getSnapshot(key: string): Promise<StoredSnapshot | undefined>;

  /** Stores pages that snapshots of the key name; durable when it resolves. The same page again changes nothing. */
  putPages(key: string, pages: readonly StoredPage[]): Promise<void>;
  /** In the order of the ids; undefined for one that is not there. */
  getPages(key: string, ids: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  deletePages(key: string, ids: readonly string[]): Promise<void>;
  /** Forgets the snapshot of a key and all its pages. */
  dropSnapshot(key: string): Promise<void>;

  /** Deletes everything of a key: a log that lives elsewhere now. Nobody may be writing it. */
  deleteKey(key: string): Promise<void>;

  /** Why nothing will ever come of this store in this process; a store without it always recovers by itself. */
  health?(): true | string;

  /** Finishes what is in flight, then refuses everything with StoreUnavailable. May be called twice. */
  close(): Promise<void>;
}

/** The largest entry and the largest body that a store takes; larger things go to the blob store first. */
export const MAX_ENTRY_BYTES = 1024 * 1024;
export const MAX_BODY_BYTES = 1024 * 1024;

/** Nothing was written and nothing can be read now; the same call may succeed later. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/** The write may or may not have happened; only reading that row can tell. */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown';
}

/** The entry before the one to be appended does not exist: a mistake of the caller. */
export class SequenceGap extends Error {
  override name = 'SequenceGap';
}

/** An entry or body beyond the store's bounds: a mistake of the caller. */
export class EntryTooLarge extends Error {
  override name = 'EntryTooLarge';
}
