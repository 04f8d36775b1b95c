// Upload of blobs (RFC 8620 section 6.1): straight into the blob store, whatever their size.
import type { Request } from 'express';
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import { asUser } from '../image/model.ts';
import { userKey } from '../../common/keys.ts';
import { RequestError } from './errors.ts';
import { MAX_UPLOAD_BYTES } from './limits.ts';
import { mediaTypeOr } from './media-type.ts';
import type { UserRequest } from './user-request.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

export async function upload(services: Services, at: UserRequest): Promise<void> {
  const { request, response, userId } = at;
  const exists = await services.logs.read(userKey(userId), (image) => asUser(image) !== undefined);
  if (!exists || request.params.accountId !== userId) return notFound(response);
  const { id, sizeBytes } = await store(services.blobs, request);
  response.status(201).json({
    accountId: userId,
    blobId: services.blobIds.uploadBlobId(userId, id, sizeBytes),
    type: mediaTypeOr(request.get('content-type'), 'application/octet-stream'),
    size: sizeBytes,
  });
}

/** @throws RequestError limit (maxSizeUpload) */
async function store(blobs: BlobStore, request: Request): Promise<{ id: string; sizeBytes: number }> {
  const tooLarge = new RequestError('limit', `An upload has at most ${MAX_UPLOAD_BYTES} bytes.`, {
    limit: 'maxSizeUpload',
  });
  if (Number(request.get('content-length') ?? 0) > MAX_UPLOAD_BYTES) throw tooLarge;
  const writer = blobs.writer();
  try {
    let size = 0;
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > MAX_UPLOAD_BYTES) throw tooLarge;
      await writer.write(chunk);
    }
    return await writer.commit();
  } finally {
    await writer.abort();
  }
}
