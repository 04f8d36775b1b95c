// One leader at a time, by a Lease object, after client-go's leader election: time is measured on one's own clock from
// what one saw, never by comparing clocks, and a leader that can't renew stops well before another may start.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../workloads/common/clock.ts';
import type { Verdict } from '../../workloads/common/http/health.ts';
import type { Logger } from '../../workloads/common/log.ts';
import { allWell, Pulse } from '../../workloads/common/pulse.ts';
import { isConflict } from './api-error.ts';
import type { KubeApi } from './api.ts';
import { TYPES, type KubeObject } from './resources.ts';

export type LeaseTimes = {
  /** Others may take over when the lease has not been renewed for so long. */
  durationMs: number;
  /** A leader that has not renewed for so long stops. Shorter than the duration by more than clocks drift in it. */
  renewDeadlineMs: number;
  /** Between attempts to get or renew it. */
  retryMs: number;
};

/** Longer than two requests to an API server that does not answer. */
const LONGEST_ASKING_MS = 120_000;
/** What is under way at the end of a term has deadlines of its own. */
const LONGEST_ENDING_MS = 300_000;

/** A takeover after a crash takes at most durationMs + 2 × retryMs. */
const LEASE_TIMES: LeaseTimes = { durationMs: 12_000, renewDeadlineMs: 8_000, retryMs: 2_000 };

type Lease = KubeObject & {
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
};

/** What of the API is needed. */
type LeaseApi = Pick<KubeApi, 'get' | 'create' | 'update'> & { until(signal: AbortSignal): LeaseApi };

export type LeaseOptions = {
  api: LeaseApi;
  namespace: string;
  name: string;
  /** Names this process among all, also across its restarts. */
  identity: string;
  times?: LeaseTimes;
  logger: Logger;
  clock?: Clock;
};

/** Kubernetes' MicroTime: exactly six digits of a second, or the API server refuses it. */
export function microTime(at: Date): string {
  return at.toISOString().replace('Z', '000Z');
}

export class LeaderLease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  /** What the lease last looked like, and since when it has looked so on our clock. */
  #seen: { lease: Lease; since: number } | undefined;

  readonly #pulse: Pulse;
  readonly #ending: Pulse;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    this.#pulse = new Pulse('asking for the lease', options.clock, LONGEST_ASKING_MS);
    this.#ending = new Pulse('ending a term that is over', options.clock, LONGEST_ENDING_MS);
  }

  /** Not well when the lease is not asked for any more, or what a term began does not end with it: then no other begins. */
  health(): Verdict {
    return allWell([this.#pulse, this.#ending]);
  }

  /**
   * Waits for the lease, calls `lead`, and renews while it runs. The signal given to `lead` ends with the term; a new
   * term begins only when `lead` has returned. Ends with `signal`, giving the lease back.
   */
  async campaign(lead: (term: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#pulse.beat();
      const acquiredAt = await this.#tryAcquire();
      if (acquiredAt === undefined) {
        await pause(this.#times.retryMs * (0.8 + Math.random() * 0.4), signal);
        continue;
      }
      this.#options.logger.info({ identity: this.#options.identity }, 'leading');
      await this.#lead(lead, acquiredAt, signal);
      if (signal.aborted) await this.#release();
      this.#options.logger.info({ identity: this.#options.identity }, 'not leading any more');
    }
  }

  async #lead(
    lead: (term: AbortSignal) => Promise<void>,
    acquiredAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const term = new AbortController();
    const over = AbortSignal.any([term.signal, signal]);
    const renewing = this.#renew(acquiredAt, over).finally(() => {
      term.abort();
      this.#pulse.rest();
      this.#ending.beat();
    });
    try {
      await lead(over);
    } finally {
      term.abort();
      await renewing;
      this.#ending.rest();
    }
  }

  /** Renews until the term is over or the deadline has passed. */
  async #renew(acquiredAt: number, over: AbortSignal): Promise<void> {
    let renewedAt = acquiredAt;
    while (!over.aborted) {
      this.#pulse.beat();
      await pause(this.#times.retryMs, over);
      if (over.aborted) return;
      const left = renewedAt + this.#times.renewDeadlineMs - performance.now();
      const answer = left > 0 ? await this.#within(left, over) : undefined;
      if (answer === 'lost') {
        this.#options.logger.error('another process has the lease');
        return;
      }
      if (answer !== undefined) renewedAt = answer;
      if (performance.now() >= renewedAt + this.#times.renewDeadlineMs) {
        this.#options.logger.error('the lease could not be renewed in time');
        return;
      }
    }
  }

  /** One attempt to renew. @returns when it began, 'lost' when another has the lease, undefined when it failed */
  async #within(leftMs: number, over: AbortSignal): Promise<number | 'lost' | undefined> {
    const attempt = new AbortController();
    const timer = setTimeout(() => attempt.abort(), leftMs);
    const cut = (): void => attempt.abort();
    over.addEventListener('abort', cut, { once: true });
    try {
      return (await this.#tryAcquire(attempt.signal)) ?? (this.#heldByOther() ? 'lost' : undefined);
    } finally {
      clearTimeout(timer);
      over.removeEventListener('abort', cut);
    }
  }

  /** Gets or renews the lease. @returns when the attempt began, on the steady clock; undefined when it failed */
  async #tryAcquire(signal?: AbortSignal): Promise<number | undefined> {
    const { namespace, name, identity, logger } = this.#options;
    const api = signal ? this.#options.api.until(signal) : this.#options.api;
    const began = performance.now();
    try {
      const current = await api.get<Lease>(TYPES.lease, { namespace, name });
      if (current) this.#see(current, began);
      const holder = current?.spec.holderIdentity;
      if (current && holder && holder !== identity && !this.#expired()) return undefined;
      const now = microTime(new Date());
      const keeps = holder === identity;
      const spec: Lease['spec'] = {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1000),
        acquireTime: (keeps && current?.spec.acquireTime) || now,
        renewTime: now,
        leaseTransitions: (current?.spec.leaseTransitions ?? 0) + (current && !keeps ? 1 : 0),
      };
      const written = current
        ? await api.update<Lease>({ ...current, spec })
        : await api.create<Lease>({
            apiVersion: TYPES.lease.apiVersion,
            kind: TYPES.lease.kind,
            metadata: { namespace, name },
            spec,
          });
      this.#see(written, began);
      return began;
    } catch (error) {
      // A conflict is another candidate that was faster; all else is the API server's trouble. Both are tried again.
      if (!isConflict(error)) logger.warn({ err: error }, 'the lease could not be read or written');
      return undefined;
    }
  }

  /** Gives the lease back, so that the next leader need not wait for its end. */
  async #release(): Promise<void> {
    const { api, namespace, name, identity, logger } = this.#options;
    try {
      const current = await api.get<Lease>(TYPES.lease, { namespace, name });
      if (current?.spec.holderIdentity !== identity) return;
      const now = microTime(new Date());
      await api.update<Lease>({
        ...current,
        spec: {
          ...current.spec,
          holderIdentity: '',
          leaseDurationSeconds: 1,
          acquireTime: now,
          renewTime: now,
        },
      });
    } catch (error) {
      logger.warn({ err: error }, 'the lease could not be given back; it will run out');
    }
  }

  #see(lease: Lease, at: number): void {
    if (this.#seen?.lease.metadata.resourceVersion === lease.metadata.resourceVersion) return;
    this.#seen = { lease, since: at };
  }

  #expired(): boolean {
    return this.#seen !== undefined && performance.now() >= this.#seen.since + this.#durationOfSeenMs();
  }

  /** What its holder promised: another version of the operator may have other times. */
  #durationOfSeenMs(): number {
    return Math.max(this.#times.durationMs, (this.#seen?.lease.spec.leaseDurationSeconds ?? 0) * 1000);
  }

  #heldByOther(): boolean {
    const holder = this.#seen?.lease.spec.holderIdentity;
    return holder !== undefined && holder !== '' && holder !== this.#options.identity;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
