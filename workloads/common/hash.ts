// MurmurHash3 x86 128-bit (public domain algorithm by Austin Appleby), seed 0, over UTF-8. Not for security: keys are
// placed by it, and everything is checked by its full name.

const encoder = new TextEncoder();

/** Where a key belongs. Look-ups need numbers only, so that the bytes are made when they are asked for. */
export class KeyHash {
  readonly #high: number;
  readonly #low: number;

  /** @param high, low the hash as unsigned 32-bit words */
  constructor(high: number, low: number) {
    this.#high = high;
    this.#low = low;
  }

  /** 0 to 65,535: which share of the user space; the first two of the eight bytes. */
  get bucket(): number {
    return this.#high >>> 16;
  }

  /** 0 to 2^32 - 1: the place on a cell's ring; the next four bytes, so that a cell's buckets spread over its ring. */
  get position(): number {
    return (((this.#high & 0xffff) << 16) | (this.#low >>> 16)) >>> 0;
  }

  /** All eight bytes, big-endian: what a log's rows start with. */
  get bytes(): Uint8Array {
    const bytes = new Uint8Array(8);
    for (let i = 0; i < 4; i++) {
      bytes[i] = this.#high >>> (24 - 8 * i);
      bytes[4 + i] = this.#low >>> (24 - 8 * i);
    }
    return bytes;
  }
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

function fmix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * @param length of the data, when it is less than all
 * @returns the first 64 of the 128 bits, as two unsigned 32-bit words
 */
export function murmur64(data: Uint8Array, length: number = data.length): [high: number, low: number] {
  const word32 = (i: number): number =>
    (data[i] ?? 0) | ((data[i + 1] ?? 0) << 8) | ((data[i + 2] ?? 0) << 16) | ((data[i + 3] ?? 0) << 24);
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  const blocks = length - (length % 16);
  for (let i = 0; i < blocks; i += 16) {
    h1 ^= Math.imul(rotl(Math.imul(word32(i), C1), 15), C2);
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(word32(i + 4), C2), 16), C3);
    h2 = (Math.imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(word32(i + 8), C3), 17), C4);
    h3 = (Math.imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(word32(i + 12), C4), 18), C1);
    h4 = (Math.imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const word = (from: number): number => {
    let k = 0;
    for (let i = Math.min(length, from + 4) - 1; i >= from; i--) k = (k << 8) | (data[i] ?? 0);
    return k;
  };
  const rest = length - blocks;
  if (rest > 12) h4 ^= Math.imul(rotl(Math.imul(word(blocks + 12), C4), 18), C1);
  if (rest > 8) h3 ^= Math.imul(rotl(Math.imul(word(blocks + 8), C3), 17), C4);
  if (rest > 4) h2 ^= Math.imul(rotl(Math.imul(word(blocks + 4), C2), 16), C3);
  if (rest > 0) h1 ^= Math.imul(rotl(Math.imul(word(blocks), C1), 15), C2);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = fmix((h2 + h1) | 0);
  h3 = fmix((h3 + h1) | 0);
  h4 = fmix((h4 + h1) | 0);
  h1 = fmix(h1);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  return [h1 >>> 0, h2 >>> 0];
}

/** Keys that fit are encoded into one buffer, over and over: hashing is what every request begins with. */
const scratch = new Uint8Array(1024);
/** UTF-8 takes at most three bytes for each unit of a string. */
const MAX_SCRATCH_LENGTH = Math.floor(scratch.length / 3);

/** @returns how many bytes of `scratch` the key takes; -1 when it may not fit. */
function encode(key: string): number {
  if (key.length > MAX_SCRATCH_LENGTH) return -1;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit > 0x7f) return encoder.encodeInto(key, scratch).written;
    scratch[i] = unit;
  }
  return key.length;
}

/** Where a log's key (`user:<id>`, `address:<address>`) belongs: bucket, ring position, row prefix. */
export function hashKey(key: string): KeyHash {
  const length = encode(key);
  const [high, low] = length < 0 ? murmur64(encoder.encode(key)) : murmur64(scratch, length);
  return new KeyHash(high, low);
}
