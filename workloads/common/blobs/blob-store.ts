// Large bodies and attachments, content-addressed: a blob's id is the SHA-256 of its bytes, in lower-case hexadecimal.
// Implementations: files and S3; one conformance suite for both.

export type BlobId = string;

export type ByteRange = { offset: number; length: number };

export interface BlobWriter {
  /** Takes the next bytes; resolves when more may come. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the blob durable. Putting a blob that is there already changes nothing. */
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
  close(): Promise<void>;
}

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
