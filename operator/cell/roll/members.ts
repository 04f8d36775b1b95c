// The members of a cell's roles, from the API server's objects.
import { podTroubles } from '../../observe.ts';
import { roleName, selectorOf, type Owner } from '../../resources/owner.ts';
import type { PodObject, StatefulSetObject } from '../../world.ts';
import type { RollFacts } from './facts.ts';
import type { RollGroup, RollMember } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';

const REVISION_LABEL = 'controller-revision-hash';

/**
 * The cell's roles that have a StatefulSet, with their pods.
 * @param facts undefined: nobody was asked, so no member is known to lead
 */
export function rollGroups(
  owner: Owner,
  sets: StatefulSetObject[],
  pods: PodObject[],
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
        memberOf(pod, set, facts !== undefined && role.leads(pod.metadata.name, facts)),
      )
      .toSorted((a, b) => a.ordinal - b.ordinal);
    const settled = set.status?.observedGeneration === set.metadata.generation;
    return [{ role, wanted: set.spec.replicas ?? 1, settled, members }];
  });
}

function memberOf(pod: PodObject, set: StatefulSetObject, leads: boolean): RollMember {
  const { name, labels, deletionTimestamp } = pod.metadata;
  const wanted = set.status?.updateRevision;
  const revision = labels?.[REVISION_LABEL];
  return {
    name,
    ordinal: Number(name.slice(name.lastIndexOf('-') + 1)),
    outdated: wanted !== undefined && revision !== undefined && revision !== wanted,
    ready: isReady(pod),
    ending: deletionTimestamp !== undefined,
    leads,
  };
}

const isReady = ({ status }: PodObject): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

/** Why a pod that runs the newest spec will not come up; undefined while it may. */
export function failureOf(pod: PodObject, now: Date, limitMs: number): string | undefined {
  const [trouble] = podTroubles([pod]);
  // A first failure to pull may be the registry's.
  if (trouble !== undefined && !trouble.includes('ErrImagePull')) return trouble;
  const since = Date.parse(pod.metadata.creationTimestamp ?? '');
  if (isReady(pod) || pod.metadata.deletionTimestamp || !(now.getTime() - since > limitMs)) return undefined;
  return `Pod ${pod.metadata.name} was not ready within ${Math.round(limitMs / 60_000)} minutes.`;
}
