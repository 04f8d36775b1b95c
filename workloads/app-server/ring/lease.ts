// How long a server may believe that its session lives.
//
// The coordination ends a session no sooner than its timeout after it last heard of it. An answered write was heard after
// it was sent. So until `sent + timeout` nobody else can have seen this member go, on any clock that runs about as fast as
// ours; the lease ends well before that, so that clocks may differ and a thread may be late.
import type { Clock, Timer } from '../../common/clock.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';

/** Share of the session's timeout: the rest is for clocks that run differently. */
const LEASE_SHARE = 0.6;

/** Renewals in a lease: two may be lost. */
const RENEWALS_PER_LEASE = 4;

/** Unanswered renewals at a time: a connection that answers none is not to be filled with them. */
const MAX_UNANSWERED = RENEWALS_PER_LEASE;

export class Lease {
  readonly #clock: Clock;
  readonly #session: CoordinationSession;
  readonly #path: string;
  readonly #leaseMs: number;
  readonly #offState: () => void;
  #validUntil = -Infinity;
  #unanswered = 0;
  #writes = 0;
  #timer: Timer | undefined;
  #ended = false;

  /** @param path its node, which exists */
  constructor(clock: Clock, session: CoordinationSession, path: string) {
    this.#clock = clock;
    this.#session = session;
    this.#path = path;
    this.#leaseMs = session.timeoutMs * LEASE_SHARE;
    this.#offState = session.onState((state) => {
      if (state === 'connected') void this.#renew();
    });
    this.#tick();
  }

  get isValid(): boolean {
    return !this.#ended && this.#clock.now() < this.#validUntil;
  }

  /** From now on it is not valid. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#offState();
  }

  #tick(): void {
    if (this.#ended) return;
    this.#timer = this.#clock.after(this.#leaseMs / RENEWALS_PER_LEASE, () => this.#tick());
    void this.#renew();
  }

  async #renew(): Promise<void> {
    if (this.#ended || this.#unanswered >= MAX_UNANSWERED) return;
    const sentAt = this.#clock.now();
    this.#unanswered++;
    try {
      await this.#session.set(this.#path, new TextEncoder().encode(String(++this.#writes)));
      this.#validUntil = Math.max(this.#validUntil, sentAt + this.#leaseMs);
    } catch {
      // Not renewed; the next one may be.
    } finally {
      this.#unanswered--;
    }
  }
}
