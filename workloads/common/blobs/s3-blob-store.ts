// Blobs as objects of an S3 service (path-style addresses), named by their hash. A PUT carries the hash, which the service
// checks, so putting is verified, and may be repeated. The bucket is made when a PUT finds none.
import { createHash } from 'node:crypto';
import { assertBlobId, assertHash, assertRange, collect } from './blob-id.ts';
import {
  BlobNotFound,
  BlobStoreUnavailable,
  type BlobId,
  type BlobStore,
  type BlobWriter,
  type ByteRange,
} from './blob-store.ts';
import { S3Requests, type S3Response, type S3Settings } from './s3-requests.ts';
import { Spool } from './spool.ts';

/** An answer that breaks off is taken up again where it ended, this often. */
const MAX_RESUMES = 5;

export function openS3BlobStore(settings: S3Settings): BlobStore {
  return new S3BlobStore(new S3Requests(settings));
}

class S3BlobStore implements BlobStore {
  readonly #requests: S3Requests;

  constructor(requests: S3Requests) {
    this.#requests = requests;
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
    const response = await this.#requests.send({ method: 'HEAD', key: id });
    await response.body.dump();
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw refused(response);
    return Number(response.headers['content-length']);
  }

  async close(): Promise<void> {
    await this.#requests.close();
  }

  /** Opens the bytes from `offset` to before `end`, or to the blob's end. */
  async #open(id: BlobId, offset: number, end: number | undefined): Promise<S3Response> {
    const isPart = offset > 0 || end !== undefined;
    const range = `bytes=${offset}-${end === undefined ? '' : end - 1}`;
    const response = await this.#requests.send({ method: 'GET', key: id, headers: isPart ? { range } : {} });
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
      const response = await this.#put(id, sizeBytes);
      if (response.statusCode === 404) {
        await this.#makeBucket();
        const again = await this.#put(id, sizeBytes);
        if (again.statusCode !== 200) throw refused(again);
      } else if (response.statusCode !== 200) throw refused(response);
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

  async #put(id: BlobId, sizeBytes: number): Promise<S3Response> {
    const response = await this.#requests.send({
      method: 'PUT',
      key: id,
      headers: { 'content-length': String(sizeBytes), 'content-type': 'application/octet-stream' },
      body: () => this.#spool.read(),
      bodyHash: id,
    });
    await response.body.dump();
    return response;
  }

  async #makeBucket(): Promise<void> {
    const response = await this.#requests.send({ method: 'PUT' });
    await response.body.dump();
    // 409: another process was faster.
    if (response.statusCode !== 200 && response.statusCode !== 409) throw refused(response);
  }

  #assertOpen(): void {
    if (this.#ended) throw new BlobStoreUnavailable('this blob was committed or aborted');
  }
}

function refused(response: S3Response): BlobStoreUnavailable {
  return new BlobStoreUnavailable(`the S3 service refuses with ${response.statusCode}`);
}
