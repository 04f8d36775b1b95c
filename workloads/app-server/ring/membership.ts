// A server's place on its cell's ring over all its sessions, and the gate that says what it may answer for.
import { delay, withDeadline, type Clock, type Timer } from '../../common/clock.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';
import type { Verdict } from '../../common/http/health.ts';
import type { Logger } from '../../common/log.ts';
import { Pulse } from '../../common/pulse.ts';
import type { MemberState, RingMember, RingView } from '../../common/ring/ring.ts';
import { LeaseLost, Misdirected } from '../log/user-log-errors.ts';
import type { OwnershipGate } from '../log/user-log-types.ts';
import { Ownership } from './ownership.ts';
import type { RingIdentity } from './ring-nodes.ts';
import { RingSession } from './ring-session.ts';

/** Between a session and the next: long enough not to hammer a coordination that refuses, short against its timeout. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** What a client is told to wait while a key changes hands: a few round trips to the coordination. */
const HANDOVER_MS = 25;

/** How long a member that joins lets those wait who were sent to it. */
const SOON_MS = 250;

export type MembershipOptions = {
  clock: Clock;
  /** Opens a session that is connected; the signal ends the waiting. */
  openSession: (signal: AbortSignal) => Promise<CoordinationSession>;
  identity: RingIdentity;
  /** Another one at each start of the process: with the session it makes the names of writers unique. */
  instance: string;
  /** Finishes what is under way for some keys and forgets them (`UserLogs.release`). */
  release: (predicate: (key: string) => boolean) => Promise<void>;
  /** Keys may go to others, who don't serve them yet; the gate refuses them already. */
  onLoss?: () => void;
  /** Lets newcomers, which the view has and which serve nothing yet, make ready for what they will own. */
  prepare?: (newcomers: readonly RingMember[], view: RingView) => Promise<void>;
  /** Tells another member that a session of this server drains, as it would see a moment later. */
  tellLeft?: (member: RingMember, session: string) => Promise<void>;
  logger?: Logger;
};

export class Membership implements OwnershipGate {
  readonly #options: MembershipOptions;
  readonly #ended = new AbortController();
  #current: RingSession | undefined;
  #session: CoordinationSession | undefined;
  #loop: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;
  #drained: { ring: RingSession; done: Promise<void> } | undefined;
  #rejoin: Timer | undefined;
  #served: () => void = () => {};
  readonly #serves: Promise<void>;
  readonly #ending: Pulse;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#ending = new Pulse('ending a lost session of the ring', options.clock);
    this.#serves = new Promise((resolve) => (this.#served = resolve));
  }

  get state(): MemberState | 'connecting' | 'closed' {
    if (this.#ended.signal.aborted) return 'closed';
    return this.#current?.state ?? 'connecting';
  }

  /** As this server sees it; the last one seen while it has no session. */
  get view(): RingView {
    return this.#current?.view ?? { version: 0, members: [] };
  }

  get ringVersion(): number {
    return this.view.version;
  }

  /** Serves and holds its lease. */
  isReady(): boolean {
    return this.#current?.serves ?? false;
  }

  /** Not well when a session that is over is not put away, so that no other is begun. */
  health(): Verdict {
    return this.#ending.health();
  }

  /**
   * Starts to take part; with a lost session it begins anew by itself until leave() or close().
   * @returns a promise that resolves when this server serves for the first time, or is closed before
   */
  async join(): Promise<void> {
    this.#loop ??= this.#takePart();
    await this.#serves;
  }

  /**
   * Hands over all users and stays on the ring without any, so that clients are still told who has them. Ends by leave(), or
   * by rejoin(), which comes by itself: whoever asked may have died. Asked again, the time begins anew.
   * @returns a promise that resolves when the others have seen it
   * @throws LeaseLost when it does not serve
   */
  async drain(forMs: number): Promise<void> {
    const ring = this.#current;
    if (this.#leaving) throw new LeaseLost('this server leaves');
    if (!this.#drained || this.#drained.ring !== ring) {
      if (!ring?.serves) throw new LeaseLost('this server does not serve');
      this.#drained = { ring, done: ring.drain() };
    }
    this.#rejoin?.cancel();
    this.#rejoin = this.#options.clock.after(forMs, () => this.rejoin());
    await this.#drained.done;
  }

  /** Takes part again after drain(), in a new session. Without one it does nothing. */
  rejoin(): void {
    this.#rejoin?.cancel();
    const drained = this.#drained?.ring;
    this.#drained = undefined;
    if (!this.#leaving) drained?.end('it takes part again');
  }

  /** A planned leave: hands over and closes. May be called twice. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** Lets go of everything at once: requests under way are finished, then the session is closed. May be called twice. */
  async close(): Promise<void> {
    this.#rejoin?.cancel();
    this.#ended.abort(new Error('the membership is closed'));
    this.#current?.end('closed');
    this.#served();
    await this.#loop;
  }

  /** Whether this server may answer for a key now. */
  owns(key: string): boolean {
    const ring = this.#current;
    if (!ring?.serves) return false;
    return ring.ownership?.owner(key)?.session === this.#session?.sessionId;
  }

  assertOwner(key: string): void {
    if (this.owns(key)) return;
    const ring = this.#current;
    if (!ring?.hasLease || !ring.ownership) throw new LeaseLost('this server does not know what it owns');
    throw this.redirect(key);
  }

  /** Who will own keys when this server has left: the keys of each, by its URL. */
  successors(keys: readonly string[]): Map<string, string[]> {
    return keysByOwner(keys, new Ownership(this.view, this.#options.identity.name));
  }

  redirect(key: string): Misdirected {
    const ring = this.#current;
    const owner = ring?.ownership?.owner(key);
    // The others send those here already whom they let go of.
    if (ring?.state === 'joining' && owner?.session === this.#session?.sessionId)
      return new Misdirected(key, owner, this.ringVersion, HANDOVER_MS, () => this.#atMostSoon(ring.serving));
    // To a member that joins, or from one that drains (its successors have yet to see it).
    const told = owner && ring?.toldTo(owner.session);
    const underWay = owner?.state !== 'serving' || (ring?.state !== 'serving' && !told);
    return new Misdirected(key, owner, this.ringVersion, underWay ? HANDOVER_MS : 0, told && (() => told));
  }

  async #atMostSoon(event: Promise<void>): Promise<void> {
    const { clock } = this.#options;
    await withDeadline(clock, event, SOON_MS, () => new Error('not yet')).catch(() => {});
  }

  /** Another member told that it drains in this session of its. */
  hasLeft(session: string): void {
    this.#current?.hasLeft(session);
  }

  tenure(): { server: string; session: string } {
    if (!this.#session) throw new LeaseLost('this server has no session');
    const session = `${this.#session.sessionId}-${this.#options.instance}`;
    return { server: this.#options.identity.name, session };
  }

  async #takePart(): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#ended;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const session = await this.#options.openSession(signal);
        await this.#takePartIn(session);
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        logger?.warn({ err: error }, 'no session with the coordination');
      }
      await delay(clock, pauseMs, signal).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Returns when the session is over and nothing of it is left. */
  async #takePartIn(session: CoordinationSession): Promise<void> {
    const { clock, identity, release, onLoss, prepare, tellLeft, logger } = this.#options;
    const ring = new RingSession({ clock, session, identity, release, onLoss, prepare, tellLeft, logger });
    this.#current = ring;
    this.#session = session;
    if (this.#ended.signal.aborted) ring.end('closed');
    const over = new Promise<void>((resolve) => {
      if (ring.lost.signal.aborted) resolve();
      else ring.lost.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await ring.join();
      logger?.info({ session: session.sessionId, ringVersion: ring.view.version }, 'serving');
      this.#served();
      await over;
    } catch (error) {
      ring.end(String(error));
    }
    logger?.info({ session: session.sessionId, reason: String(ring.lost.signal.reason) }, 'not on the ring');
    onLoss?.();
    this.#ending.beat();
    // Nobody else sees this member go before its requests are over, as far as that is in our hands.
    await ring.release(() => true);
    await session.close().catch(() => {});
    this.#ending.rest();
  }

  async #leave(): Promise<void> {
    const ring = this.#current;
    const drained = this.#drained?.ring === ring ? this.#drained?.done : undefined;
    if (drained || ring?.serves) {
      try {
        await (drained ?? ring?.drain());
      } catch (error) {
        this.#options.logger?.warn({ err: error }, 'left without a handover');
      }
    }
    await this.close();
  }
}

/** @returns the keys of each owner, by its URL */
export function keysByOwner(keys: readonly string[], ownership: Ownership): Map<string, string[]> {
  const byUrl = new Map<string, string[]>();
  for (const key of keys) {
    const url = ownership.owner(key)?.url;
    if (url === undefined) continue;
    const theirs = byUrl.get(url);
    if (theirs) theirs.push(key);
    else byUrl.set(url, [key]);
  }
  return byUrl;
}
