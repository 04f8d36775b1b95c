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

/**
 * The form under which an address is looked up: NFC, lower case as a whole. (RFC 5321 leaves the case of local parts to
 * the receiving host; here it does not matter.)
 * @returns undefined when this is no `local@domain`
 */
export function normalizeAddress(address: string): string | undefined {
  const text = address.normalize('NFC').toLowerCase();
  const at = text.lastIndexOf('@');
  if (at < 1 || at === text.length - 1 || text.length > MAX_ADDRESS_LENGTH) return undefined;
  if (/[\p{Cc}\s<>]/u.test(text)) return undefined;
  return text;
}
