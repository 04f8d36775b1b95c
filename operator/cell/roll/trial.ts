// A new version is on trial until all its app servers serve and have been watched for long enough. One that fails is taken
// back: the image is kept in the status, and from the next reconcile on app servers have the good one again.
import { roleName } from '../../resources/owner.ts';
import { versionOf } from '../../resources/service-pod.ts';
import { waitFor, type StepResult } from '../../runtime/steps.ts';
import type { PodObject } from '../../world.ts';
import type { CellWork } from '../steps.ts';
import { appServersGate, badAnswers, trialGate } from './answers.ts';
import { lookAtCell, type CellLook } from './look.ts';
import { failureOf, rollGroups } from './members.ts';
import { onTrial } from './on-trial.ts';
import { missingPod } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';

const MINUTE_MS = 60_000;

/** A new version whose servers don't come up is bad, if there was one that did. */
export function failureOfVersion(work: CellWork, pods: PodObject[]): string | undefined {
  if (!onTrial(work)) return undefined;
  const { context, cell, world, now } = work;
  const { owner } = context;
  const set = world.caches.statefulSets.get(owner.namespace, roleName(owner, 'app-server'));
  const [group] = set ? rollGroups(owner, [set], pods, now) : [];
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

/** Why the version must go, by what its servers answer; while ZooKeeper or the storage is in trouble nobody is blamed. */
export function verdict(work: CellWork, look: CellLook): string | undefined {
  return onTrial(work) && !isTroubledElsewhere(look) ? badAnswers(look.facts) : undefined;
}

function isTroubledElsewhere({ groups, facts }: CellLook): boolean {
  const others = ROLL_ROLES.filter(({ role }) => role !== 'app-server');
  if (others.some(({ gates }) => gates.some((gate) => gate(facts)))) return true;
  return missingPod(groups.filter(({ role }) => role.role !== 'app-server')) !== undefined;
}

/** Pods that never left the good image are not touched. */
export function rollBack({ context, marks }: CellWork, why: string): StepResult {
  marks.rolledBack = { image: context.images.cellpost, message: why };
  return waitFor('App servers go back to the last good version.');
}

/**
 * All pods run what they should: is the version the good one now?
 * @returns what is to be waited for; undefined when there is nothing to judge, or no longer
 */
export async function endTrial(work: CellWork): Promise<StepResult | undefined> {
  const { world, cell, context, marks } = work;
  if (!onTrial(work) || cell.spec.appServers.replicas === 0) return undefined;
  const look = await lookAtCell(work);
  const bad = verdict(work, look);
  if (bad !== undefined) return rollBack(work, bad);
  const shut = missingPod(look.groups) ?? appServersGate(look.facts) ?? trialGate(look.facts);
  if (shut) {
    const servers = look.facts.appServers.length;
    marks.roll ??= { total: servers, done: servers, current: '' };
    marks.shut = shut;
    return waitFor(shut.message);
  }
  marks.goodImage = context.images.cellpost;
  await world.events.record(
    cell,
    'Normal',
    'VersionGood',
    'Roll',
    `All app servers run version ${versionOf(marks.goodImage)} and answer well.`,
  );
  return undefined;
}
