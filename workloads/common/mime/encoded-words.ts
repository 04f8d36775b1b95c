// Unstructured header text: unfolding, raw 8-bit bytes, encoded words (RFC 2047, RFC 2231 section 5 language tags).
import { decodeCharset, decodeUnlabelled } from './charset.ts';
import { decodeTransfer } from './transfer-encoding.ts';

const WORD = /=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bq])\?([^?\r\n]*)\?=/gi;

/** Removes folds: a line break before white space goes, the white space stays (RFC 5322 section 2.2.3). */
export function unfold(text: string): string {
  return text.replace(/\r?\n(?=[ \t])/g, '').replace(/[\r\n]+/g, ' ');
}

/** A header's raw value as text: unfolded, encoded words decoded, white space at the ends gone, NFC. */
export function decodeText(value: Uint8Array): string {
  return decodeWords(unfold(decodeUnlabelled(value)))
    .trim()
    .normalize('NFC');
}

type Word = { charset: string; bytes: Uint8Array[] };

/**
 * Decodes the encoded words of a text. White space between two of them is not part of it, and two in the same charset
 * are joined as bytes first, since some mailers split characters. Broken ones stay as they are.
 */
export function decodeWords(text: string): string {
  if (!text.includes('=?')) return text;
  let result = '';
  let last = 0;
  let pending: Word | undefined;
  const flush = (): void => {
    if (pending) result += printable(decodeCharset(Buffer.concat(pending.bytes), pending.charset).text);
    pending = undefined;
  };
  for (const match of text.matchAll(WORD)) {
    const between = text.slice(last, match.index);
    const word = wordOf(match);
    if (pending && /^[ \t]*$/.test(between)) {
      if (pending.charset === word.charset) {
        pending.bytes.push(...word.bytes);
      } else {
        flush();
        pending = word;
      }
    } else {
      flush();
      result += between;
      pending = word;
    }
    last = match.index + match[0].length;
  }
  flush();
  return result + text.slice(last);
}

function wordOf(match: RegExpExecArray): Word {
  const [, charset = '', encoding = '', payload = ''] = match;
  const raw = Buffer.from(payload, 'utf8');
  return {
    charset: charset.toLowerCase(),
    bytes: [encoding.toLowerCase() === 'b' ? decodeTransfer(raw, 'base64') : decodeQ(raw)],
  };
}

/** RFC 2047 section 4.2: quoted-printable with `_` for a space. */
function decodeQ(raw: Uint8Array): Uint8Array {
  const spaced = Uint8Array.from(raw, (byte) => (byte === 0x5f ? 0x20 : byte));
  // A final space is meant here, unlike at the end of a quoted-printable line.
  const guarded = Buffer.concat([spaced, Buffer.from('x')]);
  const decoded = decodeTransfer(guarded, 'quoted-printable');
  return decoded.subarray(0, decoded.length - 1);
}

/** A decoded word may hold line breaks and other controls, which must not make a header of its own anywhere. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
