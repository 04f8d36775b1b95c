// Passwords: kept as scrypt hashes in the user's log, checked in the same time whether user, address and password are right
// or not, and checked rarely: a password that was right is remembered for a while by a keyed digest.
import { createHmac, randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ScryptHash } from '../image/model.ts';

/** About 30 ms and 16 MiB a check on a machine of 2020: what RFC 7914 section 2 suggests for interactive logins. */
const SCRYPT = { n: 16_384, r: 8, p: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** scrypt takes 128 * n * r bytes and some. */
const SCRYPT_MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** Longer ones are refused: hashing is not free. */
export const MAX_PASSWORD_LENGTH = 1024;

/** Right passwords are remembered this long after their last use, and for so many users. */
const VERIFIED_TTL_MS = 5 * 60_000;
const MAX_VERIFIED = 10_000;

/** Wrong passwords that one user may get in a row; after these, one each FAILURE_REFILL_MS. */
const FAILURE_BURST = 10;
const FAILURE_REFILL_MS = 6_000;
const MAX_FAILURE_RECORDS = 50_000;

function derive(password: string, salt: Uint8Array, length: number, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

export async function hashPassword(password: string): Promise<ScryptHash> {
  const salt = randomBytes(SALT_BYTES);
  const { n, r, p } = SCRYPT;
  const hash = await derive(password, salt, HASH_BYTES, { N: n, r, p, maxmem: SCRYPT_MAX_MEMORY_BYTES });
  return { salt, hash, n, r, p };
}

async function matches(password: string, wanted: ScryptHash): Promise<boolean> {
  const { n, r, p } = wanted;
  const options = { N: n, r, p, maxmem: SCRYPT_MAX_MEMORY_BYTES };
  const hash = await derive(password, wanted.salt, wanted.hash.length, options);
  return timingSafeEqual(hash, wanted.hash);
}

/** Nobody's: what the passwords of users who don't exist are compared with. */
const NOBODY: ScryptHash = {
  salt: randomBytes(SALT_BYTES),
  hash: randomBytes(HASH_BYTES),
  ...SCRYPT,
};

export type Verdict = { ok: true } | { ok: false; retryAfterMs?: number };

type Failures = { count: number; atMs: number };

export class PasswordVerifier {
  readonly #now: () => number;
  readonly #matches: typeof matches;
  readonly #key = randomBytes(32);
  readonly #verified: LRUCache<string, true>;
  readonly #failures = new LRUCache<string, Failures>({ max: MAX_FAILURE_RECORDS });

  /** @param check compares a password with a hash: in a simulation nothing may happen in other threads */
  constructor(now: () => number = Date.now, check = matches) {
    this.#now = now;
    this.#matches = check;
    // Used again, it lasts longer: so nobody who is signed in is locked out by another's wrong passwords.
    this.#verified = new LRUCache({ max: MAX_VERIFIED, ttl: VERIFIED_TTL_MS, updateAgeOnHas: true });
  }

  /**
   * @param credentials undefined when there is no such user or the address is not theirs: takes as long, and fails
   * @returns retryAfterMs when this user got too many wrong passwords: then nothing was checked
   */
  async verify(userId: string, credentials: ScryptHash | undefined, password: string): Promise<Verdict> {
    const digest = credentials && this.#digest(userId, credentials, password);
    if (digest && this.#verified.has(digest)) return { ok: true };
    const retryAfterMs = this.#blockedForMs(userId);
    if (retryAfterMs > 0) return { ok: false, retryAfterMs };
    // Counted before the check, so that many at once don't pass together.
    this.#fail(userId);
    if (password.length > MAX_PASSWORD_LENGTH) return { ok: false };
    const ok = await this.#matches(password, credentials ?? NOBODY);
    if (!ok || !digest) return { ok: false };
    this.#failures.delete(userId);
    this.#verified.set(digest, true);
    return { ok: true };
  }

  /** Binds the password to the very hash that it was checked against: a changed password is forgotten. */
  #digest(userId: string, credentials: ScryptHash, password: string): string {
    return createHmac('sha256', this.#key)
      .update(`${userId}\n`)
      .update(credentials.hash)
      .update(password.normalize('NFC'))
      .digest('base64');
  }

  #current(userId: string): Failures {
    const now = this.#now();
    const last = this.#failures.get(userId);
    if (!last) return { count: 0, atMs: now };
    const refilled = Math.floor((now - last.atMs) / FAILURE_REFILL_MS);
    return { count: Math.max(0, last.count - refilled), atMs: last.atMs + refilled * FAILURE_REFILL_MS };
  }

  #blockedForMs(userId: string): number {
    const { count, atMs } = this.#current(userId);
    return count < FAILURE_BURST ? 0 : Math.max(1, atMs + FAILURE_REFILL_MS - this.#now());
  }

  #fail(userId: string): void {
    const { count, atMs } = this.#current(userId);
    this.#failures.set(userId, { count: count + 1, atMs: count === 0 ? this.#now() : atMs });
  }
}
