// Which app servers there should be: those that the rings of the cells have, and those that were lost from one.
//
// A server that crashes or hangs leaves its ring when its session has expired, which is soon: then discovery does not name
// it any more, but people want to know of it. So one that was serving and is gone stays on the roster for a while. One that
// was leaving as planned does not.
import type { MemberState } from '../common/ring/ring.ts';

export type Member = {
  cell: string;
  node: string;
  url: string;
  state: MemberState;
  version: string;
  share: number;
};
export type RosterEntry = Member & {
  /** When it was gone from its ring, in milliseconds since 1970. */
  lostAtMs?: number;
};

/** As long as the history lasts. */
const LOST_MS = 15 * 60_000;

/**
 * @param before the roster as of the last look
 * @param members those that the rings have now
 * @param cells the cells that there are; what belonged to another is forgotten
 */
export function updateRoster(
  before: readonly RosterEntry[],
  members: readonly Member[],
  cells: ReadonlySet<string>,
  atMs: number,
): RosterEntry[] {
  const present = new Set(members.map(nameOf));
  const lost = before.flatMap((entry) => {
    if (present.has(nameOf(entry)) || !cells.has(entry.cell)) return [];
    const lostAtMs = entry.lostAtMs ?? (entry.state === 'serving' ? atMs : undefined);
    return lostAtMs === undefined || atMs - lostAtMs > LOST_MS ? [] : [{ ...entry, share: 0, lostAtMs }];
  });
  return [...members, ...lost].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

const nameOf = ({ cell, node }: Member): string => `${cell}/${node}`;
