// Download of blobs (RFC 8620 section 6.2): messages, their parts, uploads. Only as files: what senders wrote must never run
// in a browser under our name.
import { decodeTransfer } from '../../common/mime/transfer-encoding.ts';
import { userKey } from '../../common/keys.ts';
import { emailOf } from '../image/email-record.ts';
import { asUser } from '../image/model.ts';
import type { MessageBytes } from '../image/message-reader.ts';
import type { MessageAdded } from '../log/actions.ts';
import type { BlobName } from './blob-ids.ts';
import { leaves } from './email-parts.ts';
import { mediaTypeOr } from './media-type.ts';
import type { Services } from './services.ts';
import type { UserRequest } from './user-request.ts';
import { notFound } from './wrap.ts';

/** What never changes may be kept by the browser that asked, and by nobody else. */
const CACHE_CONTROL = 'private, immutable, max-age=31536000';

export async function download(services: Services, at: UserRequest): Promise<void> {
  const { request, response, userId } = at;
  const { accountId, blobId, name } = request.params;
  const blob = accountId === userId ? services.blobIds.parse(userId, String(blobId)) : undefined;
  const bytes = blob && (await read(services, userKey(userId), blob));
  if (!bytes) return notFound(response);
  const type = typeof request.query.type === 'string' ? request.query.type : undefined;
  // setHeader: express's set would add a charset, which would be wrong for what senders wrote.
  response.status(200).setHeader('Content-Type', mediaTypeOr(type, 'application/octet-stream'));
  response.set({
    'Content-Length': String(bytes.byteLength),
    'Content-Disposition': disposition(String(name)),
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': CACHE_CONTROL,
  });
  response.end(bytes);
}

/** RFC 6266 with RFC 8187: any name, and nothing of it as syntax. */
function disposition(name: string): string {
  const encoded = encodeURIComponent(name.toWellFormed().slice(0, 255).toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename*=UTF-8''${encoded}`;
}

/** @returns undefined for what the user doesn't have */
async function read(services: Services, key: string, blob: BlobName): Promise<Uint8Array | undefined> {
  const exists = await services.logs.read(key, (image) => {
    const user = asUser(image);
    return user !== undefined && (blob.kind === 'upload' || emailOf(user, blob.email) !== undefined);
  });
  if (!exists) return undefined;
  if (blob.kind === 'upload') return services.blobs.get(blob.sha256);
  const message = (await services.messages.load(key, [blob.email])).get(blob.email);
  if (!message) return undefined;
  const bytes = services.messages.open(key, blob.email, message);
  return blob.kind === 'message' ? bytes() : readPart(message, blob.partId, bytes);
}

async function readPart(
  { message }: MessageAdded,
  partId: string,
  bytes: MessageBytes,
): Promise<Uint8Array | undefined> {
  for (const part of leaves(message.structure)) {
    if (part.partId !== partId) continue;
    const body = await bytes({ offset: part.bodyOffset, length: part.bodyBytes });
    return decodeTransfer(body, part.encoding);
  }
  return undefined;
}
