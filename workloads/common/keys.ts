// The two kinds of log keys. A user's log holds a mailbox; an address's log says whose the address is.

/** @param userId letters, digits, `-` and `_` (RFC 8620 section 1.2), at most 64 */
export function userKey(userId: string): string {
  return `user:${userId}`;
}

/** @param address a normalized address: see normalizeAddress */
export function addressKey(address: string): string {
  return `address:${address}`;
}

const USER_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function isUserId(text: string): boolean {
  return USER_ID.test(text);
}

/** The longest address: 64 octets, `@`, 255 octets (RFC 5321 section 4.5.3.1). */
const MAX_ADDRESS_LENGTH = 320;

/** A number with its country code: 15 digits at most (ITU-T E.164), and none has fewer than 7. */
const PHONE_NUMBER = /^\+[1-9]\d{6,14}$/;
/** What people write between digits (RFC 3966 section 5.1.1: visual separators; and blanks). */
const SEPARATORS = /[\s().-]/g;

/**
 * The form under which an address is looked up. A mailbox address: NFC, lower case as a whole. (RFC 5321 leaves the case of local parts to
 * the receiving host; here it does not matter.) A phone number, `+49 30 123456` or `tel:+49-30-123456`: `tel:+4930123456`.
 * @returns undefined when this is neither `local@domain` nor an international phone number
 */
export function normalizeAddress(address: string): string | undefined {
  const text = address.normalize('NFC').toLowerCase();
  if (!text.includes('@')) return normalizePhoneNumber(text);
  const at = text.lastIndexOf('@');
  if (at < 1 || at === text.length - 1 || text.length > MAX_ADDRESS_LENGTH) return undefined;
  if (/[\p{Cc}\s<>]/u.test(text)) return undefined;
  return text;
}

function normalizePhoneNumber(text: string): string | undefined {
  const digits = text.replace(/^tel:/, '').replaceAll(SEPARATORS, '');
  return text.length <= MAX_ADDRESS_LENGTH && PHONE_NUMBER.test(digits) ? `tel:${digits}` : undefined;
}
