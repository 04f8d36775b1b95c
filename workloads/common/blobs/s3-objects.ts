// Objects of an S3 service: put, copied, deleted, listed.
import type { Dispatcher } from 'undici';
import { isBlobId } from './blob-id.ts';
import { BlobStoreUnavailable, type BlobInfo } from './blob-store.ts';
import type { S3Requests, S3Response } from './s3-requests.ts';

/** Objects on one page of a list: what services give at most. */
const PAGE = 1_000;

export type ListedObject = { key: string; sizeBytes: number; modifiedAtMs: number };

/** Puts an object; makes the bucket when there is none. @throws BlobStoreUnavailable */
export async function putObject(
  requests: S3Requests,
  object: { key: string; sizeBytes: number; hash: string; body: () => Dispatcher.DispatchOptions['body'] },
): Promise<void> {
  const put = async (): Promise<S3Response> =>
    await dumped(
      requests.send({
        method: 'PUT',
        key: object.key,
        headers: { 'content-length': String(object.sizeBytes), 'content-type': 'application/octet-stream' },
        body: object.body,
        bodyHash: object.hash,
      }),
    );
  let response = await put();
  if (response.statusCode === 404) {
    const bucket = await dumped(requests.send({ method: 'PUT' }));
    // 409: another process was faster.
    if (bucket.statusCode !== 200 && bucket.statusCode !== 409) throw refused(bucket);
    response = await put();
  }
  if (response.statusCode !== 200) throw refused(response);
}

/** Copies an object inside the bucket. @returns false when there is none @throws BlobStoreUnavailable */
export async function copyObject(requests: S3Requests, from: string, to: string): Promise<boolean> {
  const response = await requests.send({
    method: 'PUT',
    key: to,
    headers: { 'x-amz-copy-source': `/${requests.bucket}/${from}` },
  });
  // A service may find out after it has begun to answer, and then says so in a 200.
  const text = await response.body.text();
  if (response.statusCode === 404) return false;
  if (response.statusCode !== 200 || text.includes('<Error>')) throw refused(response);
  return true;
}

/** @throws BlobStoreUnavailable */
export async function deleteObject(requests: S3Requests, key: string): Promise<void> {
  const response = await dumped(requests.send({ method: 'DELETE', key }));
  if (response.statusCode !== 204 && response.statusCode !== 200 && response.statusCode !== 404)
    throw refused(response);
}

/** The blobs right below a prefix. */
export async function* listBlobObjects(requests: S3Requests, prefix: string): AsyncGenerator<BlobInfo> {
  for await (const { key, sizeBytes, modifiedAtMs } of listObjects(requests, prefix)) {
    const id = key.slice(prefix.length);
    if (isBlobId(id)) yield { id, sizeBytes, changedAtMs: modifiedAtMs };
  }
}

/** The objects right below a prefix, in the order of their names; none when there is no bucket. */
export async function* listObjects(requests: S3Requests, prefix: string): AsyncGenerator<ListedObject> {
  let token: string | undefined;
  do {
    const response = await requests.send({
      method: 'GET',
      query: {
        ...(token !== undefined && { 'continuation-token': token }),
        delimiter: '/',
        'list-type': '2',
        'max-keys': String(PAGE),
        prefix,
      },
    });
    const text = await response.body.text();
    if (response.statusCode === 404) return;
    if (response.statusCode !== 200) throw refused(response);
    for (const [, object] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) yield parseObject(object ?? '');
    token = /<IsTruncated>true</.test(text) ? field(text, 'NextContinuationToken') : undefined;
  } while (token !== undefined);
}

/** Our own names hold nothing that XML would write otherwise. */
function parseObject(xml: string): ListedObject {
  return {
    key: field(xml, 'Key') ?? '',
    sizeBytes: Number(field(xml, 'Size')),
    modifiedAtMs: Date.parse(field(xml, 'LastModified') ?? ''),
  };
}

function field(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
}

async function dumped(sent: Promise<S3Response>): Promise<S3Response> {
  const response = await sent;
  await response.body.dump();
  return response;
}

export function refused(response: S3Response): BlobStoreUnavailable {
  return new BlobStoreUnavailable(`the S3 service refuses with ${response.statusCode}`);
}
