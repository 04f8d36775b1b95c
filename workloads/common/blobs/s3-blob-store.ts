// Blobs as objects of an S3 service (path-style addresses), named by their hash. A PUT carries the hash, which the service
// checks, so putting is verified, and may be repeated. The bucket is made when a PUT finds none. Blobs that are set aside
// are objects below `retired/`, documents below `documents/`.
import { createHash } from 'node:crypto';
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
import { S3Documents } from './s3-documents.ts';
import { copyObject, deleteObject, listBlobObjects, putObject, refused } from './s3-objects.ts';
import { S3Requests, type S3Response, type S3Settings } from './s3-requests.ts';
import { Spool } from './spool.ts';

/** An answer that breaks off is taken up again where it ended, this often. */
const MAX_RESUMES = 5;
/** Where blobs are set aside. */
const RETIRED = 'retired/';

export function openS3BlobStore(settings: S3Settings): BlobStore {
  return new S3BlobStore(new S3Requests(settings));
}

class S3BlobStore implements BlobStore {
  readonly #requests: S3Requests;
  readonly documents: Documents;

  constructor(requests: S3Requests) {
    this.#requests = requests;
    this.documents = new S3Documents(requests);
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
    return new S3BlobWriter(this.#requests);
  }

  async get(id: BlobId, range?: ByteRange): Promise<Uint8Array> {
    return await collect(this.stream(id, range));
  }

  async *stream(id: BlobId, range?: ByteRange): AsyncGenerator<Uint8Array> {
    assertBlobId(id);
    if (range) assertRange(range);
    if (range?.length === 0) {
      await this.#assertEmptyRange(id, range);
      return;
    }
    const hash = range ? undefined : createHash('sha256');
    let offset = range?.offset ?? 0;
    const end = range && range.offset + range.length;
    for (let resumes = 0; ; resumes++) {
      const response = await this.#open(id, offset, end);
      try {
        for await (const chunk of response.body) {
          const bytes: Uint8Array = chunk;
          offset += bytes.byteLength;
          hash?.update(bytes);
          yield bytes;
        }
        break;
      } catch (error) {
        if (resumes === MAX_RESUMES) throw new BlobStoreUnavailable(String(error), { cause: error });
      }
    }
    if (hash) assertHash(id, hash.digest('hex'));
  }

  async size(id: BlobId): Promise<number | undefined> {
    assertBlobId(id);
    const response = await this.#find(id, (key) => this.#requests.send({ method: 'HEAD', key }));
    await response.body.dump();
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw refused(response);
    return Number(response.headers['content-length']);
  }

  list(): AsyncIterable<BlobInfo> {
    return listBlobObjects(this.#requests, '');
  }

  listRetired(): AsyncIterable<BlobInfo> {
    return listBlobObjects(this.#requests, RETIRED);
  }

  async retire(id: BlobId): Promise<void> {
    await this.#move(id, id, `${RETIRED}${id}`);
  }

  async revive(id: BlobId): Promise<void> {
    await this.#move(id, `${RETIRED}${id}`, id);
  }

  async purge(id: BlobId, retiredByMs: number): Promise<boolean> {
    assertBlobId(id);
    const key = `${RETIRED}${id}`;
    const response = await this.#requests.send({ method: 'HEAD', key });
    await response.body.dump();
    if (response.statusCode === 404) return false;
    if (response.statusCode !== 200) throw refused(response);
    if (Date.parse(String(response.headers['last-modified'])) > retiredByMs) return false;
    await deleteObject(this.#requests, key);
    return true;
  }

  async close(): Promise<void> {
    await this.#requests.close();
  }

  /** Copies, then deletes: at every moment one of the two is there. */
  async #move(id: BlobId, from: string, to: string): Promise<void> {
    assertBlobId(id);
    if (await copyObject(this.#requests, from, to)) await deleteObject(this.#requests, from);
  }

  /** Asks for a blob's object, wherever it is. */
  async #find(id: BlobId, ask: (key: string) => Promise<S3Response>): Promise<S3Response> {
    // The last time, for one that was revived just between the first two.
    for (const key of [id, `${RETIRED}${id}`]) {
      const response = await ask(key);
      if (response.statusCode !== 404) return response;
      await response.body.dump();
    }
    return await ask(id);
  }

  /** Opens the bytes from `offset` to before `end`, or to the blob's end. */
  async #open(id: BlobId, offset: number, end: number | undefined): Promise<S3Response> {
    const isPart = offset > 0 || end !== undefined;
    const range = `bytes=${offset}-${end === undefined ? '' : end - 1}`;
    const response = await this.#find(id, (key) =>
      this.#requests.send({ method: 'GET', key, headers: isPart ? { range } : {} }),
    );
    if (response.statusCode === (isPart ? 206 : 200)) {
      // A service gives what it has of a range that ends outside.
      const last = /^bytes \d+-(\d+)\//.exec(String(response.headers['content-range'] ?? ''))?.[1];
      if (end === undefined || Number(last) === end - 1) return response;
      await response.body.dump();
      throw new RangeError(`bytes ${offset} to ${end} are outside of the blob`);
    }
    await response.body.dump();
    if (response.statusCode === 404) throw new BlobNotFound(`there is no blob ${id}`);
    if (response.statusCode === 416) throw new RangeError(`bytes from ${offset} on are outside of the blob`);
    throw refused(response);
  }

  /** HTTP has no way to ask for no bytes. */
  async #assertEmptyRange(id: BlobId, range: ByteRange): Promise<void> {
    const size = await this.size(id);
    if (size === undefined) throw new BlobNotFound(`there is no blob ${id}`);
    assertRange(range, size);
  }
}

class S3BlobWriter implements BlobWriter {
  readonly #requests: S3Requests;
  /** The hash and the length come before the bytes in a PUT: all is kept here until both are known. */
  readonly #spool = new Spool();
  #ended = false;

  constructor(requests: S3Requests) {
    this.#requests = requests;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen();
    await this.#spool.write(chunk);
  }

  async commit(): Promise<{ id: BlobId; sizeBytes: number }> {
    this.#assertOpen();
    this.#ended = true;
    try {
      const { id, sizeBytes } = this.#spool.finish();
      await putObject(this.#requests, { key: id, sizeBytes, hash: id, body: () => this.#spool.read() });
      return { id, sizeBytes };
    } finally {
      await this.#spool.close();
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#spool.close();
  }

  #assertOpen(): void {
    if (this.#ended) throw new BlobStoreUnavailable('this blob was committed or aborted');
  }
}
