// Keys and values of an image's trees: numbers as bytes, big end first, so that they sort as the numbers do.
import type { Layout } from './pages/page.ts';
import type { Ordinal } from './ids.ts';

/** 53 bits fit. */
export const ORDINAL_BYTES = 7;
/** Milliseconds since 1970, to beyond the year 10,000. */
const TIME_BYTES = 6;
export const MAX_TIME_MS = 2 ** 48 - 1;

/** A hundred messages and more: a list on the screen needs one or two, and so does a small mailbox as a whole. */
const PAGE_BYTES = 4096;
/** Where keys are hashes each addition is on a page of its own: smaller ones make less to write. */
const HASH_PAGE_BYTES = 1024;

function layout(keyBytes: number, valueBytes: number, pageBytes: number): Layout {
  return { keyBytes, valueBytes, leafRecords: Math.floor(pageBytes / (keyBytes + valueBytes)) };
}

const EMAIL_VALUE_BYTES = 26;
/** 128 bits of a SHA-256 stand for a delivery key of any length. */
export const DIGEST_BYTES = 16;

/** email -> what email-record.ts says */
export const EMAILS = layout(ORDINAL_BYTES, EMAIL_VALUE_BYTES, PAGE_BYTES);
/** mailbox (0: all), receivedAt, email */
export const LISTS = layout(ORDINAL_BYTES + TIME_BYTES + ORDINAL_BYTES, 0, PAGE_BYTES);
/** thread, email; but for the email that began it */
export const THREADS = layout(2 * ORDINAL_BYTES, 0, PAGE_BYTES);
/** email, kind, what: mailboxes of an email with several; keywords beyond the usual */
export const LABELS = layout(2 * ORDINAL_BYTES + 1, 0, PAGE_BYTES);
/** hash of message id and subject -> thread */
export const THREAD_KEYS = layout(ORDINAL_BYTES, ORDINAL_BYTES, PAGE_BYTES);
/** digest of a delivery key -> email */
export const DELIVERIES = layout(DIGEST_BYTES, ORDINAL_BYTES, PAGE_BYTES);

/** The longest user id (keys.ts); shorter ones are filled up with zeros. */
export const USER_ID_BYTES = 64;
/** user id -> is a friend (1) or no longer (0), and since which action */
export const FRIENDS = layout(USER_ID_BYTES, 1 + ORDINAL_BYTES, PAGE_BYTES);

/** digest of an address that the user wrote to */
export const CORRESPONDENTS = layout(DIGEST_BYTES, 0, HASH_PAGE_BYTES);

/** The same records where many of them lie in no order. */
export const OLD_THREAD_KEYS = layout(ORDINAL_BYTES, ORDINAL_BYTES, HASH_PAGE_BYTES);
export const OLD_DELIVERIES = layout(DIGEST_BYTES, ORDINAL_BYTES, HASH_PAGE_BYTES);

const HIGH = 2 ** 32;

export function writeOrdinal(bytes: Uint8Array, start: number, value: number): number {
  const high = Math.floor(value / HIGH);
  bytes[start] = high >>> 16;
  bytes[start + 1] = high >>> 8;
  bytes[start + 2] = high;
  bytes[start + 3] = value >>> 24;
  bytes[start + 4] = value >>> 16;
  bytes[start + 5] = value >>> 8;
  bytes[start + 6] = value;
  return start + ORDINAL_BYTES;
}

export function readOrdinal(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let at = start; at < start + ORDINAL_BYTES; at++) value = value * 256 + (bytes[at] as number);
  return value;
}

export function writeTime(bytes: Uint8Array, start: number, timeMs: number): number {
  const high = Math.floor(timeMs / HIGH);
  bytes[start] = high >>> 8;
  bytes[start + 1] = high;
  bytes[start + 2] = timeMs >>> 24;
  bytes[start + 3] = timeMs >>> 16;
  bytes[start + 4] = timeMs >>> 8;
  bytes[start + 5] = timeMs;
  return start + TIME_BYTES;
}

export function readTime(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let at = start; at < start + TIME_BYTES; at++) value = value * 256 + (bytes[at] as number);
  return value;
}

export function ordinalKey(...parts: readonly Ordinal[]): Uint8Array {
  const bytes = new Uint8Array(parts.length * ORDINAL_BYTES);
  for (const [index, part] of parts.entries()) writeOrdinal(bytes, index * ORDINAL_BYTES, part);
  return bytes;
}

/** Key in LISTS; without time and email what all keys of the mailbox begin with, and sort after. */
export function listKey(mailbox: Ordinal, receivedAtMs = 0, email: Ordinal = 0): Uint8Array {
  const bytes = new Uint8Array(LISTS.keyBytes);
  writeOrdinal(bytes, writeTime(bytes, writeOrdinal(bytes, 0, mailbox), receivedAtMs), email);
  return bytes;
}

export function emailOfListKey(key: Uint8Array): Ordinal {
  return readOrdinal(key, ORDINAL_BYTES + TIME_BYTES);
}

export function labelKey(email: Ordinal, kind: number, what: number): Uint8Array {
  const bytes = new Uint8Array(LABELS.keyBytes);
  bytes[writeOrdinal(bytes, 0, email)] = kind;
  writeOrdinal(bytes, ORDINAL_BYTES + 1, what);
  return bytes;
}
