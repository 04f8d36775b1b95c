// Large bodies and attachments, content-addressed: a blob's id is the SHA-256 of its bytes, in lower-case hexadecimal.
// Implementations: files and S3; one conformance suite for both.

export type BlobId = string;

export type ByteRange = { offset: number; length: number };

/** A blob in a list. */
export type BlobInfo = {
  id: BlobId;
  sizeBytes: number;
  /** When it was put last, or set aside; by the store's clock, at least to the second. */
  changedAtMs: number;
};

export interface BlobWriter {
  /** Takes the next bytes; resolves when more may come. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the blob durable. Putting a blob that is there already changes nothing but `changedAtMs`: it is young again. */
  commit(): Promise<{ id: BlobId; sizeBytes: number }>;
  /** Forgets what was written. May be called after commit: does nothing then. */
  abort(): Promise<void>;
}

export interface BlobStore {
  put(bytes: Uint8Array): Promise<{ id: BlobId; sizeBytes: number }>;
  /** Opens a writer for a blob whose size is not known yet; memory stays bounded. */
  writer(): BlobWriter;
  /** Whole, or a range that must lie inside the blob; a whole blob's hash is checked. @throws BlobNotFound, BlobCorrupt, BlobStoreUnavailable */
  get(id: BlobId, range?: ByteRange): Promise<Uint8Array>;
  /** The same, as chunks. A hash that is wrong shows as BlobCorrupt at the end. */
  stream(id: BlobId, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Size in bytes; undefined when there is no such blob. */
  size(id: BlobId): Promise<number | undefined>;

  /** Every blob that is not set aside, in any order; one that comes or goes meanwhile may be in the list or not. */
  list(): AsyncIterable<BlobInfo>;
  /** The blobs that are set aside; `changedAtMs` says since when. */
  listRetired(): AsyncIterable<BlobInfo>;
  /**
   * Sets a blob aside: it is not listed any more, but `get`, `stream` and `size` still find it, and putting it again makes
   * it an ordinary blob again. Does nothing when there is none. So nothing that is referred to is ever out of reach,
   * whatever is put meanwhile; see sweep.ts.
   */
  retire(id: BlobId): Promise<void>;
  /** Makes a blob that was set aside an ordinary one again. Does nothing when it is not set aside. */
  revive(id: BlobId): Promise<void>;
  /**
   * Deletes what was set aside at this time or before; the blob itself stays if it was put again since.
   * @returns whether it did
   */
  purge(id: BlobId, retiredByMs: number): Promise<boolean>;

  readonly documents: Documents;
  close(): Promise<void>;
}

/** Small things with names, beside the blobs: what a set of blobs means. Each is replaced as a whole or not at all. */
export interface Documents {
  /** @param name see DOCUMENT_NAME */
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  /** All names, sorted. */
  list(): Promise<string[]>;
}

/** Letters, digits, `.`, `_` and `-`: such names are the same in every store. */
export const DOCUMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export class BlobNotFound extends Error {
  override name = 'BlobNotFound';
}

export class BlobCorrupt extends Error {
  override name = 'BlobCorrupt';
}

/** The store can't be reached or answers with an error of its own; the call may be repeated. */
export class BlobStoreUnavailable extends Error {
  override name = 'BlobStoreUnavailable';
}
