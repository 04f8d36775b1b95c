// Brings a version through the fleet: looks, plans, writes down why before it goes back, pushes, tells.
import type { ReconcileResult } from '../runtime/controller.ts';
import { keyOf, splitKey, type KubeObject } from '../runtime/resources.ts';
import { platformOf } from '../cell/context.ts';
import { writeStatus } from '../status.ts';
import { tellOfChanges } from '../tell.ts';
import type { Cell } from '../types.ts';
import type { Caches, World } from '../world.ts';
import { askMembers } from './answers.ts';
import { cellMember, isOfRollout, platformKeyOf, platformMember } from './member.ts';
import { planRollout, type Observed } from './plan.ts';
import { pushGiven, takeBack } from './push.ts';
import { rolloutStatus, waitingStatus } from './status.ts';
import type { Rollout, RolloutStatus } from './types.ts';

/** An event tells of every change; this is for the case that one platform's rollout ends and nothing else happens. */
const LOOK_AGAIN_MS = 30_000;
/** How app servers answer no event tells. */
const ASK_AGAIN_MS = 10_000;

export async function reconcileRollout(world: World, key: string): Promise<ReconcileResult> {
  const { namespace, name } = splitKey(key);
  const rollout = world.caches.rollouts.get(namespace, name);
  if (!rollout || rollout.metadata.deletionTimestamp || isOver(rollout)) return {};
  const now = new Date();
  const seen = observe(world.caches, rollout);
  const blockedBy = whyNotYet(world.caches, rollout, seen);
  if (blockedBy !== undefined && !rollout.spec.abort) {
    await tell(world, rollout, waitingStatus(rollout, blockedBy, now));
    return { againInMs: LOOK_AGAIN_MS };
  }
  const { observed, asked } = await askMembers(world, rollout, seen);
  const plan = planRollout(rollout.spec, observed, rollout.status ?? {}, now);
  const members = [...(observed.platform ? [observed.platform] : []), ...observed.cells];
  // Before anything goes back it is written down why: a cell that recovers by that must not turn the rollout round again.
  await tell(world, rollout, rolloutStatus(rollout, plan, members, now));
  for (const member of plan.push) {
    if (plan.goesBack) await takeBack(world, rollout, member);
    else await pushGiven(world, rollout, member);
  }
  return { againInMs: Math.min(plan.againInMs ?? LOOK_AGAIN_MS, asked > 0 ? ASK_AGAIN_MS : LOOK_AGAIN_MS) };
}

/** The unfinished rollouts that a change of an object may concern. */
export function rolloutsConcernedBy(object: KubeObject, caches: Caches): string[] {
  const platform = platformKeyOfObject(object);
  if (platform === undefined) return [];
  return caches.rollouts
    .list()
    .filter((rollout) => platformKeyOf(rollout) === platform && !isOver(rollout))
    .map(keyOf);
}

function platformKeyOfObject(object: KubeObject): string | undefined {
  switch (object.kind) {
    case 'Rollout':
      return platformKeyOf(object as Rollout);
    case 'Platform':
      return keyOf(object);
    case 'Cell':
      return keyOf({ metadata: platformOf(object as Cell) });
    default:
      return undefined;
  }
}

const isOver = ({ status }: Rollout): boolean => status?.outcome !== undefined;

function whyNotYet(caches: Caches, rollout: Rollout, { platform }: Observed): string | undefined {
  const { namespace, name } = splitKey(platformKeyOf(rollout));
  // Without its platform a rollout would find no cells either, and be complete.
  if (!platform) return `There must be a Platform ${name} in namespace ${namespace}.`;
  const ahead = rolloutAhead(caches, rollout);
  return ahead === undefined ? undefined : `Rollout ${ahead} of the same platform must end first.`;
}

/** One rollout of a platform at a time, the oldest first. @returns the name of one that must end before this begins */
function rolloutAhead(caches: Caches, rollout: Rollout): string | undefined {
  const order = ({ metadata }: Rollout): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
  return caches.rollouts
    .list(rollout.metadata.namespace)
    .filter((other) => platformKeyOf(other) === platformKeyOf(rollout) && !isOver(other))
    .filter((other) => !other.metadata.deletionTimestamp && order(other) < order(rollout))
    .map(({ metadata }) => metadata.name)
    .toSorted()[0];
}

function observe(caches: Caches, rollout: Rollout): Observed {
  const { namespace, name } = splitKey(platformKeyOf(rollout));
  const platform = caches.platforms.get(namespace, name);
  const cells = caches.cells
    .list()
    .filter((cell) => isOfRollout(cell, rollout) && !cell.metadata.deletionTimestamp);
  return {
    cells: cells.map((cell) => cellMember(cell, rollout)),
    platform: platform && platformMember(platform, rollout),
  };
}

async function tell(world: World, rollout: Rollout, status: RolloutStatus): Promise<void> {
  await writeStatus(world, world.caches.rollouts, rollout, status);
  await tellOfChanges(world.events, rollout, status);
}
