// Follows the members of one cell: reads /nodes and every node below it, watches both, and reads again when told.
import { systemClock, type Clock } from '../clock.ts';
import type { Verdict } from '../http/health.ts';
import type { CoordinationSession, Watcher } from '../coordination/coordination.ts';
import { follow } from '../coordination/follow.ts';
import { decodeMember, NODES } from './registry.ts';
import type { RingMember, RingView } from './ring.ts';

export type RingWatcher = {
  /** The newest consistent view; undefined before the first. */
  readonly view: RingView | undefined;
  /** True while the view is known to follow the coordination: false from a lost connection to the next reading. */
  readonly current: boolean;
  /** As Follower.health. */
  health(): Verdict;
  close(): void;
};

/**
 * Calls `onView` with each new view, the first one included. A view is published only if nothing was seen to change
 * between the first read and the last, so it is one that the cell really had. Its version is the newest transaction
 * among /nodes and the members: it never falls. A cell without /nodes has no view yet.
 *
 * Ends by itself when the session expires or is closed; what was published then stays in `view`.
 */
export function watchRing(
  session: CoordinationSession,
  onView: (view: RingView) => void,
  onStale: () => void = () => undefined,
  clock: Clock = systemClock,
): RingWatcher {
  let view: RingView | undefined;
  const follower = follow(session, {
    read: (watcher) => readRing(session, watcher),
    publish: (next) => {
      if (next === 'none' || (view && next.version <= view.version)) return;
      view = next;
      onView(next);
    },
    onStale,
    clock,
  });
  return {
    get view() {
      return view;
    },
    get current() {
      return follower.current;
    },
    health: () => follower.health(),
    close: () => follower.close(),
  };
}

/** @returns 'none' when the cell has no /nodes yet: a watch waits for it; undefined when it changed while it was read */
async function readRing(
  session: CoordinationSession,
  watcher: Watcher,
): Promise<RingView | 'none' | undefined> {
  const listed = await session.children(NODES, watcher);
  if (!listed) return (await session.get(NODES, watcher)) ? undefined : 'none';
  const members: RingMember[] = [];
  let version = listed.stat.pzxid;
  const nodes = await Promise.all(listed.names.map((name) => session.get(`${NODES}/${name}`, watcher)));
  for (const node of nodes) {
    // Gone since: the children's watch has fired or is about to.
    if (!node) return undefined;
    version = Math.max(version, node.stat.mzxid);
    const member = decodeMember(node.data);
    if (member) members.push(member);
  }
  return { version, members };
}
