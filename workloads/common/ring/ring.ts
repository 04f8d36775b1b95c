// Who owns a key inside a cell: the one pure function that servers, discovery and clients share.
import { murmur64 } from '../hash.ts';

/** A member 'joining' or 'draining' owns nothing. */
export type MemberState = 'joining' | 'serving' | 'draining';

export type RingMember = {
  /** Stable over restarts (a pod's name): its tokens depend on it. */
  name: string;
  /** Base URL of its API. */
  url: string;
  state: MemberState;
  /** How many tokens: its weight. */
  tokens: number;
  /** Its session in hexadecimal: another one is another incarnation. */
  session: string;
  /** What it runs, for people. */
  version: string;
  pid: number;
};

export type RingView = {
  /** Rises with every change of membership or state: the newest transaction number seen among the members. */
  version: number;
  members: RingMember[];
};

/** Tokens of a member unless told otherwise. With 64 the busiest of 10 members has about 1.2 times its fair share. */
export const DEFAULT_TOKENS = 64;

const encoder = new TextEncoder();

/** The places of a member on the ring: the hash of its name and an index, so that a restarted member takes its old ones. */
export function tokensOf(name: string, count: number): number[] {
  return Array.from({ length: count }, (_, index) => murmur64(encoder.encode(`${name}#${index}`))[0]);
}

/** The ring of those members that are serving. Immutable. */
export class Ring {
  readonly #positions: Uint32Array;
  readonly #owners: RingMember[];

  constructor(members: readonly RingMember[]) {
    const places: { position: number; member: RingMember }[] = [];
    for (const member of members) {
      if (member.state !== 'serving') continue;
      for (const position of tokensOf(member.name, member.tokens)) places.push({ position, member });
    }
    // Two members on one position: the name decides, so that all see the same owner.
    places.sort((a, b) => a.position - b.position || (a.member.name < b.member.name ? -1 : 1));
    this.#positions = Uint32Array.from(places, (place) => place.position);
    this.#owners = places.map((place) => place.member);
  }

  /**
   * The owner of a position: the first serving token clockwise from it, the position itself included.
   * @returns undefined when nobody serves
   */
  owner(position: number): RingMember | undefined {
    let low = 0;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#positions[middle] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return this.#owners[low === this.#owners.length ? 0 : low];
  }
}
