// The members of a cell's roles, from the API server's objects.
import { roleName, selectorOf, type Owner } from '../../resources/owner.ts';
import type { PodObject, StatefulSetObject } from '../../world.ts';
import type { RollFacts } from './facts.ts';
import type { RollGroup, RollMember } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';

/** Servers that are disturbed, as by the election of a leader, are ready again sooner. */
const STUCK_MS = 30_000;
const REVISION_LABEL = 'controller-revision-hash';

/**
 * The cell's roles that have a StatefulSet, with their pods.
 * @param facts undefined: nobody was asked, so no member is known to lead
 */
export function rollGroups(
  owner: Owner,
  sets: StatefulSetObject[],
  pods: PodObject[],
  now: Date,
  facts?: RollFacts,
): RollGroup[] {
  return ROLL_ROLES.flatMap((role) => {
    const name = roleName(owner, role.role);
    const set = sets.find(({ metadata }) => metadata.name === name && metadata.namespace === owner.namespace);
    if (!set) return [];
    const selector = Object.entries(selectorOf(owner, role.role));
    const members = pods
      .filter(({ metadata: { namespace, labels = {} } }) =>
        selector.every(([key, value]) => namespace === owner.namespace && labels[key] === value),
      )
      .map((pod): RollMember =>
        memberOf(pod, set, now, facts !== undefined && role.leads(pod.metadata.name, facts)),
      )
      .toSorted((a, b) => a.ordinal - b.ordinal);
    const settled = set.status?.observedGeneration === set.metadata.generation;
    return [{ role, wanted: set.spec.replicas ?? 1, settled, members }];
  });
}

function memberOf(pod: PodObject, set: StatefulSetObject, now: Date, leads: boolean): RollMember {
  const { name, labels, deletionTimestamp } = pod.metadata;
  const wanted = set.status?.updateRevision;
  const revision = labels?.[REVISION_LABEL];
  return {
    name,
    ordinal: Number(name.slice(name.lastIndexOf('-') + 1)),
    outdated: wanted !== undefined && revision !== undefined && revision !== wanted,
    ready: isReady(pod),
    stuck: isStuck(pod, now),
    ending: deletionTimestamp !== undefined,
    leads,
  };
}

const isReady = ({ status }: Pick<PodObject, 'status'>): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

/** How long a pod has been ready; 0 when it is not. */
export function readySecondsOf({ status }: Pick<PodObject, 'status'>, now: Date): number {
  const since = status?.conditions?.find((one) => one.type === 'Ready' && one.status === 'True');
  return since ? Math.max(0, (now.getTime() - Date.parse(since.lastTransitionTime ?? '')) / 1_000) : 0;
}

/** What another try does not mend. A first failure to pull (ErrImagePull) may be the registry's. */
const HOPELESS = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'RunContainerError',
]);

function isStuck(pod: PodObject, now: Date): boolean {
  if (isReady(pod)) return false;
  if (hopeless(pod) !== undefined) return true;
  const since = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return now.getTime() - Date.parse(since ?? pod.metadata.creationTimestamp ?? '') > STUCK_MS;
}

/** What keeps a container of the pod from running, in a sentence. */
function hopeless({ metadata, status }: PodObject): string | undefined {
  for (const { name, state } of [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ]) {
    const reason = state?.waiting?.reason ?? '';
    if (HOPELESS.has(reason)) return `Pod ${metadata.name}: container ${name} is in ${reason}.`;
  }
  return undefined;
}

/** Why a pod of a new version will not come up by its own fault; undefined while it may. */
export function failureOf(pod: PodObject, now: Date, limitMs: number): string | undefined {
  const { metadata, status } = pod;
  if (metadata.deletionTimestamp) return undefined;
  const trouble = hopeless(pod);
  if (trouble !== undefined) return trouble;
  // A pod that no node takes has not started.
  const started = status?.conditions?.some((one) => one.type === 'PodScheduled' && one.status === 'True');
  const sinceMs = now.getTime() - Date.parse(metadata.creationTimestamp ?? '');
  if (!started || isReady({ status }) || !(sinceMs > limitMs)) return undefined;
  return `Pod ${metadata.name} was not ready within ${Math.round(limitMs / 60_000)} minutes.`;
}
