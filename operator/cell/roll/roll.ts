// One step of a cell's roll a reconcile. All it goes by is seen anew each time or lies in the status, so an operator that
// starts in the middle goes on.
import { ofRole } from '../../observe.ts';
import { roleName } from '../../resources/owner.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import type { PodObject } from '../../world.ts';
import type { CellWork } from '../steps.ts';
import type { RollFacts } from './facts.ts';
import { badAnswers } from './gates.ts';
import { wakeDataNode } from './data-nodes.ts';
import { lookAtCell } from './look.ts';
import { failureOf, rollGroups } from './members.ts';
import { rollPlan, type RollGroup, type RollPlan } from './plan.ts';
import { reloadRegions } from './storage.ts';

const MINUTE_MS = 60_000;

/** Deletes at most one pod: the next of the plan, if nothing speaks against it. */
export async function rollMembers(work: CellWork): Promise<StepResult> {
  const { world, context, marks, now } = work;
  const sets = ofRole(world.caches.statefulSets, context.owner);
  const cached = ofRole(world.caches.pods, context.owner);
  const failure = failureOfVersion(work, cached);
  if (failure !== undefined) return rollBack(work, failure);
  if (rollPlan(rollGroups(context.owner, sets, cached, now), []).order.length === 0) {
    // The last pod of a roll counts when it is ready.
    if (marks.roll && !allReady(rollGroups(context.owner, sets, cached, now)))
      return waitFor('The last pod that was made anew must be ready.');
    // A reconcile that finds a roll ended undoes what it did to storage, also when another operator began it.
    if (marks.roll) {
      const { storage } = (await lookAtCell(work)).facts;
      const waits = storage && (await wakeDataNode(work, storage));
      if (waits !== undefined) return waitFor(waits);
      await reloadRegions(work);
    }
    marks.roll = undefined;
    marks.shut = undefined;
    return DONE;
  }
  const { pods, groups, facts, gates } = await lookAtCell(work);
  const bad = context.images.cellpost === marks.goodImage ? undefined : badAnswers(facts);
  if (bad !== undefined && marks.goodImage !== undefined) return rollBack(work, bad);
  const plan = rollPlan(groups, gates);
  return await act(work, plan, pods, facts);
}

async function act(work: CellWork, plan: RollPlan, pods: PodObject[], facts: RollFacts): Promise<StepResult> {
  const { world, cell, marks } = work;
  const left = plan.order.length;
  const total = Math.max(marks.roll?.total ?? 0, left);
  const first = plan.next ?? plan.order[0];
  marks.shut = plan.blockedBy;
  marks.roll = { total, done: total - left, current: first?.member.name ?? '' };
  if (!plan.next) return waitFor(plan.blockedBy?.message ?? 'The pods on their way out must have gone.');
  const { group, member } = plan.next;
  if (member.ready) {
    const waits =
      (facts.storage && (await wakeDataNode(work, facts.storage, member.name))) ??
      (await group.role.before?.(work, member.ordinal, facts));
    if (waits !== undefined) return waitFor(waits);
  }
  const pod = pods.find(({ metadata }) => metadata.name === member.name);
  if (pod) {
    await world.api.delete(pod);
    const why = !member.stuck
      ? 'runs an older version or configuration'
      : 'is not ready and of an older version';
    await world.events.record(
      cell,
      'Normal',
      'RollPod',
      'Roll',
      `Pod ${member.name} ${why}: it is made anew (${total - left + 1} of ${total}).`,
    );
  }
  return waitFor(`Pod ${member.name} is made anew and must be ready then.`);
}

/** A new version whose servers don't come up is bad, if there was one that did. */
function failureOfVersion(
  { context, cell, marks, world, now }: CellWork,
  pods: PodObject[],
): string | undefined {
  if (marks.goodImage === undefined || context.images.cellpost === marks.goodImage) return undefined;
  const { owner } = context;
  const set = world.caches.statefulSets.get(owner.namespace, roleName(owner, 'app-server'));
  if (!set) return undefined;
  const [group] = rollGroups(owner, [set], pods, now);
  // Before the controller has seen the new version, no pod is of it.
  if (!group?.settled) return undefined;
  const limitMs = cell.spec.rollout.gates.readyMinutes * MINUTE_MS;
  for (const { name, outdated } of group.members) {
    const pod = outdated ? undefined : pods.find(({ metadata }) => metadata.name === name);
    const failure = pod && failureOf(pod, now, limitMs);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** From the next reconcile on the app servers have the good image again; pods that never left it are not touched. */
function rollBack({ context, marks }: CellWork, why: string): StepResult {
  marks.rolledBack = { image: context.images.cellpost, message: why };
  return waitFor('App servers go back to the last good version.');
}

const allReady = (groups: RollGroup[]): boolean =>
  groups.every(
    ({ members, wanted }) =>
      members.length >= wanted && members.every(({ ready, ending }) => ready && !ending),
  );
