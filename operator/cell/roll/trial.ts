// A new image is on trial until all its servers run and have been watched for long enough. One that fails is taken back:
// it is kept in the status, and from the next reconcile on its servers have the good one again.
import { roleName, type StorageRole } from '../../resources/owner.ts';
import { versionOf } from '../../resources/service-pod.ts';
import { waitFor, type StepResult } from '../../runtime/steps.ts';
import { ensureAll, type PodObject } from '../../world.ts';
import { IMAGE_KINDS, type ImageKind } from '../images.ts';
import { cellEnsembleResources } from '../resources/ensemble.ts';
import { storageResources, storageRoles } from '../resources/storage.ts';
import type { CellWork } from '../steps.ts';
import { recordOf } from '../storage-steps.ts';
import { appServersGate, badAnswers, trialGate } from './answers.ts';
import type { RollFacts } from './facts.ts';
import { lookAtCell, type CellLook } from './look.ts';
import { failureOf, rollGroups } from './members.ts';
import { imageOf, onTrial, setsOf } from './on-trial.ts';
import { missingPod, type RollGroup, type Shut } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';

const MINUTE_MS = 60_000;

/** An image that must go, and why. */
export type Verdict = { kind: ImageKind; why: string };

/** A new image whose servers don't come up is bad, if there was one with which they did. */
export function failureOfImage(work: CellWork, pods: PodObject[]): Verdict | undefined {
  const { context, cell, now } = work;
  const limitMs = cell.spec.rollout.gates.readyMinutes * MINUTE_MS;
  for (const kind of IMAGE_KINDS) {
    if (!onTrial(work, kind)) continue;
    const sets = setsOf(work, kind).filter((set) => imageOf(set) === context.images[kind]);
    for (const { settled, members } of rollGroups(context.owner, sets, pods, now)) {
      // Before the controller has seen the new image, no pod is of it.
      if (!settled) continue;
      for (const { name, outdated } of members) {
        const pod = outdated ? undefined : pods.find(({ metadata }) => metadata.name === name);
        const why = pod && failureOf(pod, now, limitMs);
        if (why !== undefined) return { kind, why };
      }
    }
  }
  return undefined;
}

/** Why the version must go, by what its servers answer; while ZooKeeper or the storage is in trouble nobody is blamed. */
export function verdict(work: CellWork, look: CellLook): Verdict | undefined {
  if (!onTrial(work, 'cellpost') || storageTrouble(look)) return undefined;
  const why = badAnswers(look.facts);
  return why === undefined ? undefined : { kind: 'cellpost', why };
}

const isOfStorage = ({ role }: RollGroup): boolean => role.image === 'hbase';

/** What is not well of ZooKeeper and the storage. */
const storageTrouble = ({ groups, facts }: CellLook): Shut | undefined =>
  missingPod(groups.filter(isOfStorage)) ?? storageGates(facts)[0];

const storageGates = (facts: RollFacts): Shut[] =>
  ROLL_ROLES.filter(({ image }) => image === 'hbase').flatMap(({ gates }) =>
    gates.flatMap((gate) => gate(facts) ?? []),
  );

/** Pods that never left the good image are not touched. */
export function rollBack({ context, marks }: CellWork, { kind, why }: Verdict): StepResult {
  marks.images[kind].rolledBack = { image: context.images[kind], message: why };
  return waitFor(
    kind === 'cellpost'
      ? 'App servers go back to the last good version.'
      : 'ZooKeeper and the storage go back to the last good image.',
  );
}

/**
 * After a roll back of the storage's image no StatefulSet keeps it, also of roles whose turn to start has not come since
 * one before them is away: the roll would make their pods anew from it.
 */
export async function leaveBadImage(work: CellWork): Promise<void> {
  const { world, context, cell, marks } = work;
  const bad = marks.images.hbase.rolledBack?.image;
  if (bad === undefined || bad === context.images.hbase) return;
  const sets = setsOf(work, 'hbase').filter((set) => imageOf(set) === bad);
  const left = new Set(sets.map(({ metadata }) => metadata.name));
  const isLeft = (role: StorageRole | 'zookeeper'): boolean => left.has(roleName(context.owner, role));
  await ensureAll(world, [
    ...(isLeft('zookeeper') ? cellEnsembleResources(context, cell.spec) : []),
    ...storageRoles(cell.spec)
      .filter(({ role }) => isLeft(role))
      .flatMap(({ role }) => storageResources(context, cell.spec, role, recordOf(work))),
  ]);
}

/**
 * The same groups. While a server of an image on trial is not there, others may be stuck because of it: they are not made
 * anew from that image before it is known what becomes of it.
 */
export function calmed(work: CellWork, groups: RollGroup[]): RollGroup[] {
  const isAway = groups
    .filter(isOfStorage)
    .some(
      ({ members, wanted }) =>
        members.length < wanted ||
        members.some(({ outdated, ready, ending }) => ending || (!outdated && !ready)),
    );
  if (!isAway || !onTrial(work, 'hbase')) return groups;
  return groups.map((group) => ({
    ...group,
    members: isOfStorage(group)
      ? group.members.map((member) => ({ ...member, stuck: false }))
      : group.members,
  }));
}

/** In the middle of a roll: app servers are judged when ZooKeeper and the storage have been. */
export async function endStorageTrial(work: CellWork, look: CellLook): Promise<void> {
  const rolls = look.groups.filter(isOfStorage).some(({ members }) => members.some((one) => one.outdated));
  if (!rolls && mayPass(work, 'hbase') && !storageTrouble(look)) await pass(work, 'hbase');
}

/** It is on trial, and no role waits for its turn to be told of it. */
const mayPass = (work: CellWork, kind: ImageKind): boolean =>
  onTrial(work, kind) && setsOf(work, kind).every((set) => imageOf(set) === work.context.images[kind]);

/**
 * All pods run what they should: are their images the good ones now?
 * @returns what is to be waited for; undefined when there is nothing to judge, or no longer
 */
export async function endTrials(work: CellWork): Promise<StepResult | undefined> {
  const { cell, marks } = work;
  const kinds = IMAGE_KINDS.filter(
    (kind) => mayPass(work, kind) && (kind === 'hbase' || cell.spec.appServers.replicas > 0),
  );
  if (kinds.length === 0) return undefined;
  const look = await lookAtCell(work);
  const bad = verdict(work, look);
  if (bad) return rollBack(work, bad);
  const shut =
    missingPod(look.groups) ??
    (kinds.includes('hbase') ? storageGates(look.facts)[0] : undefined) ??
    appServersGate(look.facts) ??
    trialGate(look.facts);
  if (shut) {
    const servers = look.groups
      .filter(({ role }) => kinds.includes(role.image))
      .reduce((sum, { members }) => sum + members.length, 0);
    marks.roll ??= { total: servers, done: servers, current: '' };
    marks.shut = shut;
    return waitFor(shut.message);
  }
  for (const kind of kinds) await pass(work, kind);
  return undefined;
}

async function pass({ world, cell, context, marks }: CellWork, kind: ImageKind): Promise<void> {
  const image = context.images[kind];
  marks.images[kind].good = image;
  const told = {
    cellpost: {
      reason: 'VersionGood',
      note: `All app servers run version ${versionOf(image)} and answer well.`,
    },
    hbase: { reason: 'ImageGood', note: `ZooKeeper and the storage run ${image} and are well.` },
  }[kind];
  await world.events.record(cell, 'Normal', told.reason, 'Roll', told.note);
}
