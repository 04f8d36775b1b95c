// One step of a cell's roll a reconcile. All it goes by is seen anew each time or lies in the status, so an operator that
// starts in the middle goes on.
import { ofRole } from '../../observe.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import type { PodObject } from '../../world.ts';
import type { CellWork } from '../steps.ts';
import type { RollFacts } from './facts.ts';
import { wakeDataNode } from './data-nodes.ts';
import { lookAtCell } from './look.ts';
import { rollGroups } from './members.ts';
import { rollPlan, type RollGroup, type RollPlan } from './plan.ts';
import { reloadRegions } from './storage.ts';
import {
  calmed,
  endStorageTrial,
  endTrials,
  failureOfImage,
  leaveBadImage,
  rollBack,
  verdict,
} from './trial.ts';

/** Deletes at most one pod: the next of the plan, if nothing speaks against it. */
export async function rollMembers(work: CellWork): Promise<StepResult> {
  const { world, context, marks, now } = work;
  await leaveBadImage(work);
  const sets = ofRole(world.caches.statefulSets, context.owner);
  const cached = ofRole(world.caches.pods, context.owner);
  const failure = failureOfImage(work, cached);
  if (failure) return rollBack(work, failure);
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
    const trial = await endTrials(work);
    if (trial) return trial;
    marks.roll = undefined;
    marks.shut = undefined;
    return DONE;
  }
  const look = await lookAtCell(work);
  const bad = verdict(work, look);
  if (bad) return rollBack(work, bad);
  await endStorageTrial(work, look);
  const plan = rollPlan(calmed(work, look.groups), look.gates);
  return await act(work, plan, look.pods, look.facts);
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

const allReady = (groups: RollGroup[]): boolean =>
  groups.every(
    ({ members, wanted }) =>
      members.length >= wanted && members.every(({ ready, ending }) => ready && !ending),
  );
