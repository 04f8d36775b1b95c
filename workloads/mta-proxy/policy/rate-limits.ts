// How much mail a sender may send, and a recipient may get: token buckets, each of one process.
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';

/** Buckets of each kind. The one that was used longest ago goes first: it is most likely full again. */
const MAX_BUCKETS = 100_000;

/** Copies of messages a minute; undefined: as many as come. */
export type Rates = {
  client: number | undefined;
  senderDomain: number | undefined;
  sender: number | undefined;
  recipient: number | undefined;
  /** From one sender to one user. */
  senderToRecipient: number | undefined;
};

export type RateKind = keyof Rates;

type Bucket = { tokens: number; atMs: number };

export class RateLimits {
  readonly #rates: Rates;
  readonly #buckets = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });
  readonly #now: () => number;

  /** @param now milliseconds that never go back */
  constructor(rates: Rates, now: () => number = () => performance.now()) {
    this.#rates = rates;
    this.#now = now;
  }

  /** Takes one of each, or none. @returns the kind that has none left */
  take(keys: Partial<Record<RateKind, string>>): RateKind | undefined {
    const taken: Bucket[] = [];
    for (const [kind, key] of Object.entries(keys) as [RateKind, string][]) {
      const perMinute = this.#rates[kind];
      if (perMinute === undefined || key === '') continue;
      const bucket = this.#filled(`${kind} ${key}`, perMinute);
      if (bucket.tokens < 1) return kind;
      taken.push(bucket);
    }
    for (const bucket of taken) bucket.tokens--;
    return undefined;
  }

  /** A bucket holds what comes in a minute. */
  #filled(key: string, perMinute: number): Bucket {
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: perMinute, atMs: now };
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((now - bucket.atMs) * perMinute) / 60_000);
    bucket.atMs = now;
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** Who sends, as far as it is counted. Of IPv6 a network of 64 bits is one client. */
export function senderKeys(
  address: string,
  mailFrom: string,
): Record<'client' | 'senderDomain' | 'sender', string> {
  const bare = address.replace(/^::ffff:/, '').replace(/%.*$/, '');
  const sender = mailFrom.toLowerCase();
  return {
    client: isIPv6(bare) ? networkOf(bare) : bare,
    sender,
    senderDomain: sender.slice(sender.lastIndexOf('@') + 1),
  };
}

/** The first 64 bits. */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
