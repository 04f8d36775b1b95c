// Who owns what as one member sees it. Pure.
import { hashKey } from '../../common/hash.ts';
import { Ring, type RingMember, type RingView } from '../../common/ring/ring.ts';

/**
 * The members that count among servers: those that serve and those that join, as everybody is about to hand over to a
 * joining member or has done so. Clients look at those that serve only: while a handover lasts they are told to come again.
 */
function ringMembers(view: RingView): RingMember[] {
  return view.members.filter((member) => member.state !== 'draining');
}

export class Ownership {
  readonly version: number;
  readonly #ring: Ring;
  readonly #members = new Map<string, RingMember>();

  /** @param without the name of a member that leaves: all goes to the others */
  constructor(view: RingView, without?: string) {
    this.version = view.version;
    for (const member of ringMembers(view))
      if (member.name !== without) this.#members.set(member.name, member);
    this.#ring = new Ring(Array.from(this.#members.values(), asServing));
  }

  /** Sessions of the members that count. */
  get sessions(): string[] {
    return [...this.#members.values()].map((member) => member.session);
  }

  /** @returns the owner with its true state; undefined when there is no member */
  owner(key: string): RingMember | undefined {
    const owner = this.#ring.owner(hashKey(key).position);
    return owner && this.#members.get(owner.name);
  }
}

function asServing(member: RingMember): RingMember {
  return { ...member, state: 'serving' };
}
