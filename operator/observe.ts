// What the caches say of a role's pods.
import { groupName, type Owner, type Role, roleName, selectorOf } from './resources/owner.ts';
import type { KubeObject } from './runtime/resources.ts';
import type { RoleStatus } from './types.ts';
import type { Caches, ContainerStatus, PodObject, StatefulSetObject } from './world.ts';

export type Observed = RoleStatus & {
  exists: boolean;
  /** The controller has seen the newest spec, and all pods run it. */
  upToDate: boolean;
  /** Of the first container, as the object said when it was looked at. */
  image?: string;
};

/** How a role's StatefulSet or Deployment fares against the wanted number of pods. */
function observeRole(set: StatefulSetObject | undefined, wanted: number): Observed {
  const status = set?.status;
  const current = status?.observedGeneration === set?.metadata.generation;
  const replicas = status?.replicas ?? 0;
  // Before the controller has looked, what the status says is of an older spec; pods of it still serve.
  const ready = Math.min(status?.readyReplicas ?? 0, replicas);
  const updated =
    // With the strategy OnDelete currentRevision stays what it was.
    (status?.updateRevision !== undefined && status.updateRevision === status.currentRevision) ||
    (status?.updatedReplicas ?? 0) === replicas;
  const image = set?.spec.template?.spec.containers[0]?.image;
  return {
    ...(image !== undefined && { image }),
    exists: set !== undefined,
    replicas,
    ready,
    summary: `${ready}/${wanted}`,
    upToDate: set !== undefined && current && updated && replicas === wanted,
  };
}

export function observeStatefulSet(caches: Caches, owner: Owner, role: Role, wanted: number): Observed {
  return observeRole(caches.statefulSets.get(owner.namespace, roleName(owner, role)), wanted);
}

export function observeDeployment(caches: Caches, owner: Owner, role: Role, wanted: number): Observed {
  return observeRole(caches.deployments.get(owner.namespace, roleName(owner, role)), wanted);
}

/** The objects of an owner in a cache: all, or those that carry a role's labels. */
export function ofRole<T extends KubeObject>(
  cache: { group(name: string): T[] },
  owner: Owner,
  role?: Role,
): T[] {
  const wanted = role ? Object.entries(selectorOf(owner, role)) : [];
  return cache
    .group(groupName(owner))
    .filter(({ metadata: { labels = {} } }) => wanted.every(([name, value]) => labels[name] === value));
}

/** What keeps pods from running that waiting alone won't mend; one sentence a pod, in order, without changing numbers. */
export function podTroubles(pods: PodObject[]): string[] {
  return pods
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((pod) => {
      const trouble = troubleOf(pod);
      return trouble ? [`Pod ${pod.metadata.name}: ${trouble}`] : [];
    });
}

const HOPELESS = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

function troubleOf({ status, metadata }: PodObject): string | undefined {
  if (metadata.deletionTimestamp) return undefined;
  const unscheduled = status?.conditions?.find(
    ({ type, status, reason }) => type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable',
  );
  if (unscheduled) return `no node takes it (${unscheduled.message ?? 'unschedulable'}).`;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const hopeless = containers.find((container) => HOPELESS.has(reasonOf(container)));
  if (!hopeless) return undefined;
  // What our own scripts said at their end.
  const said = hopeless.lastState?.terminated?.message?.trim();
  return `container ${hopeless.name} is in ${reasonOf(hopeless)}${said ? `: ${said}` : '.'}`;
}

const reasonOf = (container: ContainerStatus): string => container.state?.waiting?.reason ?? '';
