// Which pod of a cell is made anew next: a pure function of what was seen. StatefulSets of a cell have the strategy
// OnDelete, so nothing but this plan replaces a pod that runs.
import type { RollRole } from './roles.ts';

/** A pod of a StatefulSet, as the plan sees it. */
export type RollMember = {
  name: string;
  ordinal: number;
  /** It does not run what its StatefulSet says now. */
  outdated: boolean;
  ready: boolean;
  /** It is not ready and has not been for a while, or can't run: not just a server that ZooKeeper's election disturbs. */
  stuck: boolean;
  /** It is on its way out. */
  ending: boolean;
  /** It leads its role (ZooKeeper's leader, the active NameNode, the active HMaster): it goes last. */
  leads: boolean;
};

export type RollGroup = {
  role: RollRole;
  /** How many pods there should be. */
  wanted: number;
  /** The StatefulSet's controller has seen its newest spec, so that `outdated` can be relied on. */
  settled: boolean;
  members: RollMember[];
};

/** Why the roll does not go on. `paused`: waiting alone may not mend it. */
export type Shut = { reason: string; message: string; paused: boolean };

export type RollPlan = {
  /** All members that have to be made anew, in order. */
  order: { group: RollGroup; member: RollMember }[];
  /** The one to delete now; absent when there is none, or a gate is shut. */
  next?: { group: RollGroup; member: RollMember };
  blockedBy?: Shut;
};

/**
 * Members that are stuck go first and at once: they serve nobody, and a broken template would block its own mending
 * for ever. A member that serves goes only when every other pod of the cell is there and ready and all gates are open; so
 * no more than one pod of a cell is ever away by the plan's doing.
 * @param groups the cell's roles in the order of their start
 * @param gates what else speaks against taking away a pod that serves
 */
export function rollPlan(groups: readonly RollGroup[], gates: readonly Shut[]): RollPlan {
  const outdated = groups.flatMap((group) =>
    group.members
      .filter((member) => member.outdated && !member.ending)
      .toSorted((a, b) => Number(a.leads) - Number(b.leads) || b.ordinal - a.ordinal)
      .map((member) => ({ group, member })),
  );
  const order = [...outdated.filter((one) => isStuck(one)), ...outdated.filter((one) => !isStuck(one))];
  const [first] = order;
  if (!first) return { order };
  if (isStuck(first)) return { order, next: first };
  const shut = missingPod(groups) ?? gates[0];
  return shut ? { order, blockedBy: shut } : { order, next: first };
}

/** By what the StatefulSet said before, a pod may seem outdated that is not. */
const isStuck = ({ group, member }: RollPlan['order'][number]): boolean => member.stuck && group.settled;

function unsettled(groups: readonly RollGroup[]): Shut | undefined {
  const group = groups.find(({ settled }) => !settled);
  return (
    group && {
      reason: 'NotSeen',
      message: `The StatefulSet's controller must have seen the newest spec of ${group.role.called}.`,
      paused: false,
    }
  );
}

/** A pod of the cell that is not there, not ready or on its way out; or nobody can tell yet. */
export function missingPod(groups: readonly RollGroup[]): Shut | undefined {
  const unseen = unsettled(groups);
  if (unseen) return unseen;
  for (const { role, wanted, members } of groups) {
    const away = members.find(({ ready, ending }) => !ready || ending);
    if (away)
      return { reason: 'PodNotReady', message: `Pod ${away.name} must be ready first.`, paused: false };
    if (members.length < wanted) {
      const message = `${wanted} pods of ${role.called} must be there first; ${members.length} are.`;
      return { reason: 'PodMissing', message, paused: false };
    }
  }
  return undefined;
}

/** How long the rest of a roll takes, by what each role's pods usually need. */
export function secondsOf(plan: RollPlan): number {
  return plan.order.reduce((sum, { group }) => sum + group.role.seconds, 0);
}
