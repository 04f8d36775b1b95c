// Which pods go for good, and which next: a pure function of what was seen.
import type { Shut } from '../roll/plan.ts';
import type { ShrinkingRole } from './sizes.ts';

/** A role that has more pods than are asked for. */
export type Excess = {
  role: ShrinkingRole;
  /** How many there are, and shall be. */
  pods: number;
  wanted: number;
  /** The last pod, which goes first, can't serve: it is stuck, or not there at all. */
  lastIsStuck: boolean;
};

/** `next`: this role becomes one pod smaller, once what the pod has is elsewhere. */
export type ShrinkPlan = { next?: Excess; blockedBy?: Shut };

/** In this order: users of a server before the server. ZooKeeper and DataNodes hold data and ask further questions. */
export const SHRINK_ORDER: readonly ShrinkingRole[] = [
  'app-server',
  'region-server',
  'hbase-master',
  'data-node',
  'zookeeper',
];
const HOLDS_DATA: ReadonlySet<ShrinkingRole> = new Set(['data-node', 'zookeeper']);

/**
 * One pod at a time: the one with the highest number of the first role in order. A pod that serves goes when every other
 * pod of the cell is there and all gates are open; one that is stuck and holds no data goes at once.
 * @param missing a pod of the cell is not there or not ready
 */
export function shrinkPlan(
  excess: readonly Excess[],
  missing: Shut | undefined,
  gates: readonly Shut[],
): ShrinkPlan {
  const inOrder = excess.toSorted((a, b) => SHRINK_ORDER.indexOf(a.role) - SHRINK_ORDER.indexOf(b.role));
  const stuck = inOrder.find(({ role, lastIsStuck }) => lastIsStuck && !HOLDS_DATA.has(role));
  if (stuck) return { next: stuck };
  const [first] = inOrder;
  if (!first) return {};
  const shut = missing ?? gates[0];
  return shut ? { blockedBy: shut } : { next: first };
}
