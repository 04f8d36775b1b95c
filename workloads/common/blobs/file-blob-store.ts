// Blobs as files, for one machine: `<root>/ab/cd/<hash>`, written to `<root>/tmp` first. A blob appears by a rename, so it
// is there whole or not at all, whatever process dies when. Several processes may share a root. Blobs that are set aside
// are in `<root>/retired/ab/cd/`, documents in `<root>/documents/`.
import { createHash, randomUUID, type Hash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertBlobId, assertHash, assertRange, collect } from './blob-id.ts';
import {
  BlobNotFound,
  BlobStoreUnavailable,
  type BlobId,
  type BlobInfo,
  type BlobStore,
  type BlobWriter,
  type ByteRange,
  type Documents,
} from './blob-store.ts';
import { FileDocuments } from './file-documents.ts';
import { errorCode, guard, listBlobFiles, syncFolder } from './file-system.ts';

const READ_CHUNK_BYTES = 256 * 1024;
/** A temporary file of this age was left by a crash: no upload takes a day. */
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000;
/** Where blobs are set aside. */
const RETIRED = 'retired';

/**
 * Makes the folder when it is missing, and removes what crashed writers left in it.
 * @throws BlobStoreUnavailable
 */
export async function openFileBlobStore(root: string): Promise<BlobStore> {
  const temporary = join(root, 'tmp');
  await guard(async () => {
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    await removeLeftovers(temporary);
  });
  return new FileBlobStore(root, temporary);
}

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may remove it at the same time.
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true });
  }
}

class FileBlobStore implements BlobStore {
  readonly #root: string;
  readonly #temporary: string;
  /** Folders whose own entries are known to be on the disk. */
  readonly #durable = new Set<string>();
  #closed = false;
  readonly documents: Documents;

  constructor(root: string, temporary: string) {
    this.#root = root;
    this.#temporary = temporary;
    this.documents = new FileDocuments(join(root, 'documents'), temporary, () => this.#assertOpen());
  }

  async put(bytes: Uint8Array): Promise<{ id: BlobId; sizeBytes: number }> {
    const writer = this.writer();
    try {
      await writer.write(bytes);
      return await writer.commit();
    } finally {
      await writer.abort();
    }
  }

  writer(): BlobWriter {
    this.#assertOpen();
    return new FileBlobWriter(join(this.#temporary, `${process.pid}-${randomUUID()}`), (path, id) =>
      this.#publish(path, id),
    );
  }

  async get(id: BlobId, range?: ByteRange): Promise<Uint8Array> {
    return await collect(this.stream(id, range));
  }

  async *stream(id: BlobId, range?: ByteRange): AsyncGenerator<Uint8Array> {
    this.#assertOpen();
    assertBlobId(id);
    const file = await this.#find(id, (path) => open(path, 'r'));
    try {
      const { size } = await guard(() => file.stat());
      if (range) assertRange(range, size);
      const end = range ? range.offset + range.length : size;
      const hash = range ? undefined : createHash('sha256');
      let offset = range?.offset ?? 0;
      while (offset < end) {
        const chunk = new Uint8Array(Math.min(READ_CHUNK_BYTES, end - offset));
        const { bytesRead } = await guard(() => file.read(chunk, 0, chunk.length, offset));
        if (bytesRead === 0) break;
        offset += bytesRead;
        const bytes = chunk.subarray(0, bytesRead);
        hash?.update(bytes);
        yield bytes;
      }
      if (hash) assertHash(id, hash.digest('hex'));
    } finally {
      await file.close();
    }
  }

  async size(id: BlobId): Promise<number | undefined> {
    this.#assertOpen();
    assertBlobId(id);
    try {
      return (await this.#find(id, (path) => stat(path))).size;
    } catch (error) {
      if (error instanceof BlobNotFound) return undefined;
      throw error;
    }
  }

  list(): AsyncIterable<BlobInfo> {
    this.#assertOpen();
    return listBlobFiles(this.#root);
  }

  listRetired(): AsyncIterable<BlobInfo> {
    this.#assertOpen();
    return listBlobFiles(join(this.#root, RETIRED));
  }

  async retire(id: BlobId): Promise<void> {
    await this.#move(id, this.#path(id), this.#path(id, RETIRED));
  }

  async revive(id: BlobId): Promise<void> {
    await this.#move(id, this.#path(id, RETIRED), this.#path(id));
  }

  async purge(id: BlobId, retiredByMs: number): Promise<boolean> {
    this.#assertOpen();
    assertBlobId(id);
    const path = this.#path(id, RETIRED);
    const found = await stat(path).catch(() => undefined);
    if (!found || found.mtimeMs > retiredByMs) return false;
    await guard(() => rm(path, { force: true }));
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #path(id: BlobId, folder = ''): string {
    return join(this.#root, folder, id.slice(0, 2), id.slice(2, 4), id);
  }

  /** Does something with a blob's file, wherever it is. @throws BlobNotFound */
  async #find<T>(id: BlobId, use: (path: string) => Promise<T>): Promise<T> {
    const path = this.#path(id);
    // The last time, for one that was revived just between the first two.
    for (const tried of [path, this.#path(id, RETIRED)]) {
      try {
        return await guard(() => use(tried), id);
      } catch (error) {
        if (!(error instanceof BlobNotFound)) throw error;
      }
    }
    return await guard(() => use(path), id);
  }

  async #move(id: BlobId, from: string, to: string): Promise<void> {
    this.#assertOpen();
    assertBlobId(id);
    await guard(async () => {
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      const now = new Date();
      try {
        // Young first: whoever finds it after a crash between the two takes it for what it is, or for a new one.
        await utimes(from, now, now);
        await rename(from, to);
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return;
        throw error;
      }
      await syncFolder(dirname(to));
      await syncFolder(dirname(from));
    });
  }

  /** Moves a synced file to its name. A blob that is there already is replaced by the same bytes. */
  async #publish(path: string, id: BlobId): Promise<void> {
    const middle = join(this.#root, id.slice(0, 2));
    const leaf = join(middle, id.slice(2, 4));
    await mkdir(leaf, { recursive: true, mode: 0o700 });
    // The last write may be long ago; what counts for a sweep is when somebody was told that the blob is there.
    const now = new Date();
    await utimes(path, now, now);
    await rename(path, this.#path(id));
    await syncFolder(leaf);
    if (this.#durable.has(leaf)) return;
    await syncFolder(middle);
    await syncFolder(this.#root);
    this.#durable.add(leaf);
  }

  #assertOpen(): void {
    if (this.#closed) throw new BlobStoreUnavailable('the blob store is closed');
  }
}

class FileBlobWriter implements BlobWriter {
  readonly #path: string;
  readonly #publish: (path: string, id: BlobId) => Promise<void>;
  readonly #hash: Hash = createHash('sha256');
  #file: FileHandle | undefined;
  #sizeBytes = 0;
  #ended = false;

  constructor(path: string, publish: (path: string, id: BlobId) => Promise<void>) {
    this.#path = path;
    this.#publish = publish;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await guard(async () => {
      const file = await this.#open();
      this.#hash.update(chunk);
      this.#sizeBytes += chunk.byteLength;
      let written = 0;
      while (written < chunk.byteLength) written += (await file.write(chunk, written)).bytesWritten;
    });
  }

  async commit(): Promise<{ id: BlobId; sizeBytes: number }> {
    const file = await guard(() => this.#open());
    this.#ended = true;
    const id = this.#hash.digest('hex');
    try {
      await guard(async () => {
        await file.sync();
        await file.close();
        await this.#publish(this.#path, id);
      });
    } catch (error) {
      await this.#discard(file);
      throw error;
    }
    return { id, sizeBytes: this.#sizeBytes };
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#file) await this.#discard(this.#file);
  }

  async #open(): Promise<FileHandle> {
    if (this.#ended) throw new BlobStoreUnavailable('this blob was committed or aborted');
    return (this.#file ??= await open(this.#path, 'wx', 0o600));
  }

  async #discard(file: FileHandle): Promise<void> {
    await file.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
  }
}
