// Parts of a message as EmailBodyPart objects, and the texts of parts as EmailBodyValue (RFC 8621 section 4.1.4).
import { bodyValue, type BodyValue } from '../../common/mime/body-value.ts';
import { splitHeaders } from '../../common/mime/header-fields.ts';
import type { Part } from '../../common/mime/message.ts';
import type { Ordinal } from '../image/ids.ts';
import type { MessageBytes } from '../image/message-reader.ts';
import { partBlobId } from './blob-ids.ts';
import type { Wanted } from './email-properties.ts';
import { MethodError } from './errors.ts';
import { headerList, headerValue } from './header-property.ts';

/** A text beyond this is told in part (isTruncated); the whole is there as a blob. */
const MAX_VALUE_BYTES = 4 * 1024 * 1024;
/** All texts of one call. */
const MAX_VALUES_BYTES = 64 * 1024 * 1024;

/** What a call may still read of texts. */
export type ValueBudget = { left: number };

export function valueBudget(): ValueBudget {
  return { left: MAX_VALUES_BYTES };
}

/** @param deep also the parts of multiparts, as in bodyStructure */
export async function partObject(
  email: Ordinal,
  part: Part,
  wanted: Wanted,
  bytes: MessageBytes,
  deep: boolean,
): Promise<Record<string, unknown>> {
  const { properties, headers } = wanted;
  const isMultipart = part.partId === null;
  const all: Record<string, unknown> = {
    partId: part.partId,
    blobId: part.partId === null ? null : partBlobId(email, part.partId),
    size: isMultipart ? 0 : part.sizeBytes,
    name: part.name,
    type: part.type,
    charset: part.charset,
    disposition: part.disposition,
    cid: part.cid,
    language: part.language,
    location: part.location,
  };
  const object = Object.fromEntries(Object.entries(all).filter(([name]) => properties.has(name)));
  if (headers.length > 0 || properties.has('headers')) {
    const block = await bytes({ offset: part.headerOffset, length: part.headerBytes });
    const fields = splitHeaders(block);
    if (properties.has('headers')) object.headers = headerList(fields);
    for (const header of headers) object[header.property] = headerValue(fields, header);
  }
  if (deep && isMultipart) {
    object.subParts = [];
    for (const child of part.subParts)
      (object.subParts as unknown[]).push(await partObject(email, child, wanted, bytes, deep));
  }
  return object;
}

/** Every part that is no multipart, in order. */
export function* leaves(part: Part): Iterable<Part> {
  if (part.partId !== null) yield part;
  for (const child of part.subParts) yield* leaves(child);
}

/** The texts of those parts that are texts, by part id. @throws MethodError requestTooLarge */
export async function bodyValues(
  parts: Iterable<Part>,
  maxBytes: number,
  bytes: MessageBytes,
  budget: ValueBudget,
): Promise<Record<string, BodyValue>> {
  const values = new Map<string, BodyValue>();
  const limit = maxBytes > 0 ? Math.min(maxBytes, MAX_VALUE_BYTES) : MAX_VALUE_BYTES;
  for (const part of parts) {
    if (part.partId === null || values.has(part.partId) || !part.type.startsWith('text/')) continue;
    budget.left -= Math.min(part.bodyBytes, limit);
    if (budget.left < 0)
      throw new MethodError(
        'requestTooLarge',
        'These texts are too long for one response: ask for fewer emails.',
      );
    const body = await bytes({ offset: part.bodyOffset, length: part.bodyBytes });
    values.set(part.partId, bodyValue(part, body, limit));
  }
  return Object.fromEntries(values);
}
