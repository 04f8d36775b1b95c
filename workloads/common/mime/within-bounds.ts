// The last bound: whatever a message holds, what is known of it fits one entry of the log beside other things.
import type { HeaderSummary, ParsedMessage } from './message.ts';

/** As JSON. Real mail has a few thousand. */
const MAX_PARSED_BYTES = 512 * 1024;
/** Headers of so many bytes alone can't come to that, whatever is decoded from them and escaped in JSON. */
const HARMLESS_HEADER_BYTES = 32 * 1024;
/** What is kept of each list of a message beyond that. */
const KEPT_ITEMS = 10;

/** The message as it is, or, when that is too much, with short lists and its whole body as one opaque part. */
export function withinBounds(message: ParsedMessage): ParsedMessage {
  if (message.headerBytes <= HARMLESS_HEADER_BYTES && message.structure.subParts.length === 0) return message;
  if (Buffer.byteLength(JSON.stringify(message)) <= MAX_PARSED_BYTES) return message;
  const { structure, sizeBytes } = message;
  const isMultipart = structure.partId === null;
  const bodyBytes = Math.max(0, sizeBytes - structure.bodyOffset);
  return {
    ...message,
    headers: shorten(message.headers),
    structure: {
      ...structure,
      partId: '1',
      type: isMultipart ? 'application/octet-stream' : structure.type,
      bodyBytes,
      sizeBytes: isMultipart ? bodyBytes : structure.sizeBytes,
      subParts: [],
    },
  };
}

function shorten(headers: HeaderSummary): HeaderSummary {
  const first = <T>(list: T[] | null): T[] | null => list?.slice(0, KEPT_ITEMS) ?? null;
  const last = (list: string[] | null): string[] | null => list?.slice(-KEPT_ITEMS) ?? null;
  return {
    ...headers,
    from: first(headers.from),
    sender: first(headers.sender),
    replyTo: first(headers.replyTo),
    to: first(headers.to),
    cc: first(headers.cc),
    bcc: first(headers.bcc),
    messageId: last(headers.messageId),
    inReplyTo: last(headers.inReplyTo),
    references: last(headers.references),
  };
}
