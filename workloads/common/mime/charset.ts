// Bytes to text in whatever charset a message names.
import iconv from 'iconv-lite';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
const lenientUtf8 = new TextDecoder('utf-8');

/** Labels that mail uses and iconv-lite does not know. */
const ALIASES: Record<string, string> = {
  'x-unknown': 'utf-8',
  unknown: 'utf-8',
  'unknown-8bit': 'utf-8',
  default: 'utf-8',
  'utf-8-strict': 'utf-8',
  'iso-8859-8-i': 'iso-8859-8',
  'x-mac-roman': 'macintosh',
  ks_c_5601: 'euc-kr',
  cp932: 'shift_jis',
};

/** UTF-8 if that is what it is, else windows-1252: for bytes beyond ASCII where none are allowed, or nothing is said. */
export function decodeUnlabelled(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return iconv.decode(Buffer.from(bytes), 'windows-1252');
  }
}

/**
 * Decodes in a named charset.
 * @returns the text, and whether the charset is unknown or the bytes don't fit it (RFC 8621 `isEncodingProblem`)
 */
export function decodeCharset(bytes: Uint8Array, charset: string | null): { text: string; problem: boolean } {
  const label = (charset ?? 'us-ascii').trim().toLowerCase();
  const name = ALIASES[label] ?? label;
  if (name === 'us-ascii' || name === 'ascii') return { text: decodeUnlabelled(bytes), problem: false };
  if (name === 'utf-8' || name === 'utf8') {
    try {
      return { text: utf8.decode(bytes), problem: false };
    } catch {
      return { text: lenientUtf8.decode(bytes), problem: true };
    }
  }
  const text = decodeNamed(bytes, name);
  return text === undefined
    ? { text: decodeUnlabelled(bytes), problem: true }
    : { text, problem: text.includes('\ufffd') };
}

/** iconv-lite knows most; the platform knows those that shift by escapes, such as ISO-2022-JP. */
function decodeNamed(bytes: Uint8Array, name: string): string | undefined {
  if (iconv.encodingExists(name))
    return iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), name);
  try {
    return new TextDecoder(name).decode(bytes);
  } catch {
    return undefined;
  }
}
