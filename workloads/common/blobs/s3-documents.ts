// Documents as objects of an S3 service.
import { createHash } from 'node:crypto';
import { assertDocumentName } from './blob-id.ts';
import { DOCUMENT_NAME, type Documents } from './blob-store.ts';
import { listObjects, putObject, refused } from './s3-objects.ts';
import type { S3Requests } from './s3-requests.ts';

const PREFIX = 'documents/';

export class S3Documents implements Documents {
  readonly #requests: S3Requests;

  constructor(requests: S3Requests) {
    this.#requests = requests;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    assertDocumentName(name);
    await putObject(this.#requests, {
      key: `${PREFIX}${name}`,
      sizeBytes: bytes.byteLength,
      hash: createHash('sha256').update(bytes).digest('hex'),
      body: () => bytes,
    });
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    assertDocumentName(name);
    const response = await this.#requests.send({ method: 'GET', key: `${PREFIX}${name}` });
    const bytes = await response.body.bytes();
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw refused(response);
    return bytes;
  }

  async list(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of listObjects(this.#requests, PREFIX)) found.push(key.slice(PREFIX.length));
    return found.filter((name) => DOCUMENT_NAME.test(name)).sort();
  }
}
