// A text part's content as JMAP's EmailBodyValue (RFC 8621 section 4.1.4).
import { decodeCharset } from './charset.ts';
import { htmlToText } from './html-text.ts';
import type { Part } from './message.ts';
import { decodeTransfer } from './transfer-encoding.ts';

export type BodyValue = { value: string; isEncodingProblem: boolean; isTruncated: boolean };

const KNOWN_ENCODINGS = new Set(['7bit', '8bit', 'binary', 'base64', 'quoted-printable']);

/**
 * @param body the part's bytes in their transfer encoding
 * @param maxBytes cut the value to so many bytes of UTF-8, never inside a character (nor a tag of HTML); 0: no limit
 */
export function bodyValue(part: Part, body: Uint8Array, maxBytes: number): BodyValue {
  const { text, problem } = decodeCharset(decodeTransfer(body, part.encoding), part.charset);
  const value = text.replaceAll('\r\n', '\n');
  const cut = maxBytes > 0 ? truncate(value, maxBytes, part.type === 'text/html') : value;
  return {
    value: cut,
    isEncodingProblem: problem || !KNOWN_ENCODINGS.has(part.encoding),
    isTruncated: cut.length < value.length,
  };
}

/** A text part's content for searches. */
export function searchableText(part: Part, body: Uint8Array): string {
  const { value } = bodyValue(part, body, 0);
  return part.type === 'text/html' ? htmlToText(value) : value;
}

function truncate(text: string, maxBytes: number, isHtml: boolean): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  // A byte 10xxxxxx is inside a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  const cut = bytes.toString('utf8', 0, end);
  if (!isHtml) return cut;
  const open = cut.lastIndexOf('<');
  return open > cut.lastIndexOf('>') ? cut.slice(0, open) : cut;
}
