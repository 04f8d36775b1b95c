// Why a request was not carried out. Each of these says that the request changed nothing; only OutcomeUnknown
// (log-store.ts) leaves that open. StoreUnavailable (log-store.ts) is the store's own.
import type { RingMember } from '../../common/ring/ring.ts';

/** Another server owns the key, or will in a moment (HTTP 421). */
export class Misdirected extends Error {
  override name = 'Misdirected';
  readonly key: string;
  /** Who owns it, or is about to; undefined when nobody serves. */
  readonly owner: RingMember | undefined;
  readonly ringVersion: number;
  /** How long to wait before asking the owner; 0 when it should be serving already. */
  readonly retryAfterMs: number;
  /** When it may be told: sooner, the owner would not know yet that it is one. Never rejects. */
  readonly tellAfter: (() => Promise<void>) | undefined;
  constructor(
    key: string,
    owner: RingMember | undefined,
    ringVersion: number,
    retryAfterMs: number,
    tellAfter?: () => Promise<void>,
  ) {
    super(owner === undefined ? `nobody serves ${key}` : `${key} belongs to ${owner.name}`);
    this.key = key;
    this.owner = owner;
    this.ringVersion = ringVersion;
    this.retryAfterMs = retryAfterMs;
    this.tellAfter = tellAfter;
  }
}

/** This server has not heard from its coordination for too long: it does not know what it owns (HTTP 503). */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
}

/** Too many requests wait here already (HTTP 503). */
export class Overloaded extends Error {
  override name = 'Overloaded';
}
