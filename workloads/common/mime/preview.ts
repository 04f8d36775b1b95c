// The preview of a message: the beginning of its text (RFC 8621 section 4.1.4).
import { decodeCharset } from './charset.ts';
import { htmlToText } from './html-text.ts';
import type { Part } from './message.ts';
import { decodeTransfer } from './transfer-encoding.ts';

const MAX_PREVIEW_CHARS = 256;

/**
 * @param bodies the parts to be shown as text, in order
 * @param sampleOf the first bytes of a part, in its transfer encoding
 */
export function makePreview(
  bodies: readonly Part[],
  sampleOf: (part: Part) => Uint8Array | undefined,
): string {
  let preview = '';
  for (const part of bodies) {
    const sample = sampleOf(part);
    if (!sample) continue;
    const { text } = decodeCharset(decodeTransfer(sample, part.encoding), part.charset);
    const plain = part.type === 'text/html' ? htmlToText(text) : text;
    preview = `${preview} ${plain}`.replace(/[\s\ufffd]+/g, ' ').trim();
    if (preview.length >= MAX_PREVIEW_CHARS) break;
  }
  return cut(preview, MAX_PREVIEW_CHARS);
}

/** Never between the two halves of a character. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
