// One session on the ring, from registration to its end: join, serve, drain.
//
// Why no two servers answer for a key at the same time. A server answers only while it serves, holds its lease, and owns
// the key among the members of its view (those joining count). Take two that both do, E and L, with overlapping claims. If
// each is in the other's view, both ask one pure function about the first of the two clockwise, and it names one. So one is
// not in the other's view; both nodes exist (both leases are valid). Whoever registered later, say L, read the members
// after its own registration, so E is in its view; hence L is not in E's. But L serves only after each member of its view
// has acknowledged a view with L in it, and a view loses a member only when that member's session is over. Contradiction.
//
// What that leaves to the log: requests that E had under way when it let go are over before E acknowledges, unless the
// store lost their answers; and leases protect answers, not writes on their way to the store. Both kinds of late writes
// meet the fence of the next owner (user-log-open.ts). So reads are safe by leases and acknowledgements, writes by
// compare-and-append.
//
// Why joining always ends. Everybody acknowledges what it sees, serving or not, and waits for nobody before it does but
// for its own requests under way, which have deadlines. A member that dies or hangs loses its session, and with it its
// node; then nobody waits for it. So two may join at once, and at first start all may.
import { delay, withDeadline, type Clock } from '../../common/clock.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';
import type { Logger } from '../../common/log.ts';
import { ACKS, LEASES, NODES } from '../../common/ring/registry.ts';
import { watchRing, type RingWatcher } from '../../common/ring/ring-watcher.ts';
import type { MemberState, RingMember, RingView } from '../../common/ring/ring.ts';
import { Changes } from './changes.ts';
import { Lease } from './lease.ts';
import { Ownership } from './ownership.ts';
import { RingNodes, type RingIdentity } from './ring-nodes.ts';
import { Sight } from './sight.ts';

/** How long a leaving member stays, so that the others see it drain rather than vanish; they need a round trip. */
const SEEN_MS = 2_000;

/** How long a newcomer has to read ahead what it takes over, before the others let go of it. */
const PREPARE_MS = 1_000;

/** How long a leaving member waits for the others to hear it from itself. They see it drain on the ring, too. */
const TELL_MS = 200;

/** How long a leaving member finishes what is under way before the others take over: most appends take less. */
const FINISH_MS = 10;

/**
 * How long a leaving member that tells the others keeps that off the ring, unless one is known not to have heard: a change
 * there is work for every server and every client, at the moment at which its users' logs are opened elsewhere.
 */
const QUIET_MS = 80;

/**
 * After the end of an earlier session that this server did not end itself, the others take over; this one joins so much
 * later. At once it would make each user wait for two changes of owner, of which the second is to a cold process.
 */
const REJOIN_MS = 1_000;

/**
 * How long others wait for what is under way here, before they take over. What takes longer than this is held up by the
 * store; it meets the fence of the next owner.
 */
const RELEASE_MS = 3_000;

export type RingSessionOptions = {
  clock: Clock;
  session: CoordinationSession;
  identity: RingIdentity;
  /** Finishes what is under way for some keys and forgets them; the gate refuses them by then. */
  release: (predicate: (key: string) => boolean) => Promise<void>;
  /** As MembershipOptions.onLoss. */
  onLoss?: (() => void) | undefined;
  /** As MembershipOptions.prepare. */
  prepare?: ((newcomers: readonly RingMember[], view: RingView) => Promise<void>) | undefined;
  /** As MembershipOptions.tellLeft. */
  tellLeft?: ((member: RingMember, session: string) => Promise<void>) | undefined;
  logger?: Logger | undefined;
};

export class RingSession {
  readonly lost = new AbortController();
  readonly #options: RingSessionOptions;
  readonly #changes: Changes;
  readonly #nodes: RingNodes;
  readonly #offState: () => void;
  #state: MemberState = 'joining';
  #lease: Lease | undefined;
  #watcher: RingWatcher | undefined;
  #view: RingView = { version: 0, members: [] };
  #ownership: Ownership | undefined;
  readonly #sight = new Sight();
  /** By the session of the other member. */
  readonly #told = new Map<string, Promise<void>>();
  readonly #serving = Promise.withResolvers<void>();
  #acknowledging = false;
  #unacknowledged = false;

  constructor(options: RingSessionOptions) {
    this.#options = options;
    this.#changes = new Changes(options.clock);
    this.#nodes = new RingNodes({ ...options, changes: this.#changes, lost: this.lost.signal });
    this.#offState = options.session.onState((state) => {
      if (state === 'expired' || state === 'closed') this.end(`the session is ${state}`);
    });
  }

  get state(): MemberState {
    return this.#state;
  }

  get view(): RingView {
    return this.#view;
  }

  /** undefined before the first view. */
  get ownership(): Ownership | undefined {
    return this.#ownership;
  }

  /** Settled when this member serves, or its session is over. */
  get serving(): Promise<void> {
    return this.#serving.promise;
  }

  /** While this member drains: settled when another one, which may own its keys now, has been told. */
  toldTo(session: string): Promise<void> | undefined {
    return this.#told.get(session);
  }

  get hasLease(): boolean {
    return !this.lost.signal.aborted && (this.#lease?.isValid ?? false);
  }

  get serves(): boolean {
    return this.#state === 'serving' && this.hasLease;
  }

  /** Registers and resolves when this member serves. @throws when the session ended before */
  async join(): Promise<void> {
    const { clock, session, identity } = this.#options;
    // The node of the member comes last: who sees it finds its acknowledgements, not those of an earlier session.
    const waited = await this.#nodes.register(LEASES);
    if (waited && (await this.#nodes.hasOthers())) await delay(clock, REJOIN_MS, this.lost.signal);
    this.#lease = new Lease(clock, session, `${LEASES}/${identity.name}`);
    await this.#nodes.register(ACKS);
    await this.#nodes.register(NODES, this.#state);
    this.#watcher = watchRing(session, (view) => this.#see(view), undefined, clock);
    await this.#allHaveAcknowledged();
    // The others sent those here whom they let go of, so it serves before everybody can see it.
    this.#state = 'serving';
    this.#serving.resolve();
    await this.#nodes.publish('serving');
    this.#changes.note();
  }

  /** Hands everything over to the others: from this call on the gate refuses all keys. */
  async drain(): Promise<void> {
    const { clock, identity } = this.#options;
    this.#state = 'draining';
    this.#ownership = new Ownership(this.#view, identity.name);
    this.#options.onLoss?.();
    const released = this.release(() => true);
    // No read under way is answered any more, and a write that is late meets the next owner's fence: so the others take over
    // without waiting for all of them.
    const finished = Promise.race([released, delay(clock, FINISH_MS)]);
    const { tellLeft } = this.#options;
    const others = this.#view.members.filter(({ name }) => name !== identity.name);
    const hearings = tellLeft
      ? others.map(async (other) => {
          const hearing = finished.then(() => this.#tellLeft(other, tellLeft));
          this.#told.set(
            other.session,
            hearing.then(() => undefined),
          );
          if (!(await hearing)) throw new Error(`${other.name} did not hear`);
        })
      : [];
    await finished;
    if (hearings.length > 0) await this.#quiet(hearings);
    await Promise.all([this.#nodes.publish('draining'), ...this.#told.values(), released]);
    const giveUpAt = clock.now() + SEEN_MS;
    while (clock.now() < giveUpAt) {
      const seen = this.#changes.count;
      if (await this.#allAcks((members) => !members.includes(this.#options.session.sessionId))) return;
      await this.#nodes.pause(seen);
    }
  }

  /**
   * A member says that it drains: it answers for nothing any more in this session of its, whatever the ring shows still.
   * So what it tells is as good as its node, and sooner here.
   */
  hasLeft(session: string): void {
    if (this.#sight.hasLeft(session)) this.#install();
  }

  /** @returns false when it did not hear */
  async #tellLeft(other: RingMember, tell: NonNullable<RingSessionOptions['tellLeft']>): Promise<boolean> {
    const { session, logger } = this.#options;
    let heard = true;
    await this.#atMost(TELL_MS, tell(other, session.sessionId), (error) => {
      heard = false;
      logger?.info({ err: error, node: other.name }, 'it did not hear of the leave from this server');
    });
    return heard;
  }

  /** Resolves after a while, at once when one of the others did not hear: it learns from the ring. */
  async #quiet(hearings: readonly Promise<void>[]): Promise<void> {
    const pause = delay(this.#options.clock, QUIET_MS);
    await Promise.race([pause, Promise.all(hearings).then(() => pause)]).catch(() => {});
  }

  /** The gate is shut from this call on. What is under way goes on: release it before the session is closed. */
  end(reason: string): void {
    if (this.lost.signal.aborted) return;
    this.#lease?.end();
    this.#watcher?.close();
    this.#offState();
    this.lost.abort(new Error(reason));
    this.#serving.resolve();
    this.#changes.note();
  }

  #see(seen: RingView): void {
    const { session, prepare } = this.#options;
    this.#sight.see(seen);
    const newcomers = this.#sight.newcomers(session.sessionId);
    if (prepare && newcomers.length > 0 && this.#state === 'serving')
      void this.#prepare(newcomers, prepare(newcomers, seen));
    else this.#sight.prepared(newcomers);
    this.#install();
  }

  /**
   * While newcomers prepare, this member serves on as if it had not seen them: they wait for its acknowledgement. That goes
   * for members only which it never had in its view: who has counted once counts on.
   */
  async #prepare(newcomers: readonly RingMember[], preparing: Promise<void>): Promise<void> {
    await this.#atMost(PREPARE_MS, preparing, (error) =>
      this.#options.logger?.info({ err: error }, 'a newcomer takes over unprepared'),
    );
    this.#sight.prepared(newcomers);
    this.#install();
  }

  /** A view counts from this moment: what others own in it is refused before anybody can hear that we have seen it. */
  #install(): void {
    if (this.lost.signal.aborted) return;
    const { identity, session } = this.#options;
    const view = this.#sight.view();
    const self = view.members.find((member) => member.name === identity.name);
    if (self?.session !== session.sessionId) return this.end('somebody removed this member from the ring');
    this.#view = view;
    const before = this.#ownership?.sessions ?? [];
    this.#ownership = new Ownership(view, this.#state === 'draining' ? identity.name : undefined);
    // Who goes leaves keys to those who stay; only who comes takes any.
    if (this.#ownership.sessions.some((one) => !before.includes(one))) this.#options.onLoss?.();
    this.#changes.note();
    void this.#acknowledge();
  }

  /** Lets go of what is not ours in the newest view, then says so; one at a time. */
  async #acknowledge(): Promise<void> {
    this.#unacknowledged = true;
    if (this.#acknowledging) return;
    this.#acknowledging = true;
    const { session, logger } = this.#options;
    try {
      while (this.#unacknowledged && this.#ownership) {
        this.#unacknowledged = false;
        const ownership = this.#ownership;
        await this.release((key) => ownership.owner(key)?.session !== session.sessionId);
        const ack = {
          ringVersion: ownership.version,
          session: session.sessionId,
          members: ownership.sessions,
        };
        await this.#nodes.acknowledge(ack);
      }
    } catch (error) {
      if (!this.lost.signal.aborted)
        logger?.error({ err: error }, 'a change of the ring was not acknowledged');
      this.end('a change of the ring could not be acknowledged');
    } finally {
      this.#acknowledging = false;
    }
  }

  /** As RingSessionOptions.release, and does not wait for a store that hangs. */
  async release(predicate: (key: string) => boolean): Promise<void> {
    const { release, logger } = this.#options;
    await this.#atMost(RELEASE_MS, release(predicate), (error) =>
      logger?.warn({ err: error }, 'a handover does not wait any longer'),
    );
  }

  async #atMost(deadlineMs: number, work: Promise<void>, onFailure: (error: unknown) => void): Promise<void> {
    const late = (): Error => new Error(`not done after ${deadlineMs} ms`);
    await withDeadline(this.#options.clock, work, deadlineMs, late).catch(onFailure);
  }

  async #allHaveAcknowledged(): Promise<void> {
    const { session } = this.#options;
    const acknowledged = new Set<string>();
    for (;;) {
      const seen = this.#changes.count;
      const ok = await this.#allAcks((members) => members.includes(session.sessionId), acknowledged);
      if (ok && seen === this.#changes.count) return;
      await this.#nodes.pause(seen);
    }
  }

  /**
   * Whether the acknowledgements of all other members that count satisfy a condition.
   * @param known sessions that have satisfied it before, and need not be asked again
   */
  async #allAcks(condition: (members: string[]) => boolean, known = new Set<string>()): Promise<boolean> {
    const { identity } = this.#options;
    const ownership = this.#ownership;
    if (!ownership) return false;
    const others = this.#view.members.filter(
      (one) =>
        one.name !== identity.name && ownership.sessions.includes(one.session) && !known.has(one.session),
    );
    const answers = await Promise.all(
      others.map(async (other) => {
        const ack = await this.#nodes.acknowledgementOf(other.name);
        const ok = ack?.session === other.session && condition(ack.members);
        if (ok) known.add(other.session);
        return ok;
      }),
    );
    return !answers.includes(false);
  }
}
