// The deliveries that a mailbox remembers, in 24 bytes each: digest of the delivery key -> email. When it is full, the
// oldest goes.
import type { Ordinal } from './ids.ts';

/** 128 bits of a SHA-256 stand for a delivery key of any length. */
export const DIGEST_BYTES = 16;
const FIRST_CAPACITY = 8;

export class DeliveryWindow {
  readonly #limit: number;
  #digests = Buffer.alloc(0);
  #emails = new Float64Array(0);
  #length = 0;
  /** Where the next one goes when it is full: the place of the oldest. */
  #oldest = 0;

  /** @param limit how many are remembered */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** About what it takes of memory. */
  get sizeBytes(): number {
    return this.#digests.length + this.#emails.byteLength;
  }

  /** @returns the email that the delivery made; looks at some thousand digests in some microseconds */
  find(digest: Uint8Array): Ordinal | undefined {
    const used = this.#digests.subarray(0, this.#length * DIGEST_BYTES);
    for (let from = 0; ;) {
      const at = used.indexOf(digest, from);
      if (at < 0) return undefined;
      if (at % DIGEST_BYTES === 0) return this.#emails[at / DIGEST_BYTES];
      from = at + 1;
    }
  }

  add(digest: Uint8Array, email: Ordinal): void {
    let place = this.#length;
    if (this.#length < this.#limit) {
      if (place === this.#emails.length) this.#grow();
      this.#length++;
    } else {
      place = this.#oldest;
      this.#oldest = (place + 1) % this.#limit;
    }
    this.#digests.set(digest, place * DIGEST_BYTES);
    this.#emails[place] = email;
  }

  #grow(): void {
    const capacity = Math.min(this.#limit, Math.max(FIRST_CAPACITY, this.#emails.length * 2));
    const digests = Buffer.alloc(capacity * DIGEST_BYTES);
    digests.set(this.#digests);
    const emails = new Float64Array(capacity);
    emails.set(this.#emails);
    this.#digests = digests;
    this.#emails = emails;
  }

  /** Oldest first. */
  *entries(): Iterable<[digest: string, email: Ordinal]> {
    for (let n = 0; n < this.#length; n++) {
      const place = (this.#oldest + n) % this.#length;
      const start = place * DIGEST_BYTES;
      yield [this.#digests.toString('hex', start, start + DIGEST_BYTES), this.#emails[place] ?? 0];
    }
  }
}
