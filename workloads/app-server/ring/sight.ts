// The ring as its nodes tell it, and as a member takes it: who said itself that it left is gone already; who comes is looked
// at a moment later, when it is prepared. Both are what a member with slow or quick eyes might have seen by itself.
import type { RingMember, RingView } from '../../common/ring/ring.ts';

export class Sight {
  #seen: RingView = { version: 0, members: [] };
  readonly #left = new Set<string>();
  /** Newcomers' sessions: false while they are being prepared. */
  readonly #prepared = new Map<string, boolean>();

  /** What the nodes tell now. */
  see(view: RingView): void {
    this.#seen = view;
    const sessions = new Set(view.members.map((member) => member.session));
    for (const session of this.#left) if (!sessions.has(session)) this.#left.delete(session);
    for (const session of this.#prepared.keys()) if (!sessions.has(session)) this.#prepared.delete(session);
  }

  /** @returns whether that is news */
  hasLeft(session: string): boolean {
    const member = this.#seen.members.find((one) => one.session === session);
    if (!member || member.state === 'draining' || this.#left.has(session)) return false;
    this.#left.add(session);
    return true;
  }

  /** @returns those that nobody prepares yet; from now on they are hidden until `prepared` */
  newcomers(own: string): RingMember[] {
    const found = this.#seen.members.filter(
      ({ session, state }) => state === 'joining' && session !== own && !this.#prepared.has(session),
    );
    for (const { session } of found) this.#prepared.set(session, false);
    return found;
  }

  prepared(members: readonly RingMember[]): void {
    for (const { session } of members) if (this.#prepared.has(session)) this.#prepared.set(session, true);
  }

  view(): RingView {
    const members = this.#seen.members
      .filter(({ session, state }) => state !== 'joining' || this.#prepared.get(session) !== false)
      .map((member) => (this.#left.has(member.session) ? asDraining(member) : member));
    return { ...this.#seen, members };
  }
}

function asDraining(member: RingMember): RingMember {
  return { ...member, state: 'draining' };
}
