// The kinds of object that the operator reads and writes, and where the API server keeps them.

export type ResourceType = { apiVersion: string; kind: string; plural: string };

const kind = (apiVersion: string, kind: string, plural: string): ResourceType => ({
  apiVersion,
  kind,
  plural,
});

/** All namespaced. */
export const TYPES = {
  cell: kind('cellpost.dev/v1alpha1', 'Cell', 'cells'),
  platform: kind('cellpost.dev/v1alpha1', 'Platform', 'platforms'),
  rollout: kind('cellpost.dev/v1alpha1', 'Rollout', 'rollouts'),
  statefulSet: kind('apps/v1', 'StatefulSet', 'statefulsets'),
  deployment: kind('apps/v1', 'Deployment', 'deployments'),
  service: kind('v1', 'Service', 'services'),
  configMap: kind('v1', 'ConfigMap', 'configmaps'),
  secret: kind('v1', 'Secret', 'secrets'),
  pod: kind('v1', 'Pod', 'pods'),
  volumeClaim: kind('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  disruptionBudget: kind('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  networkPolicy: kind('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  lease: kind('coordination.k8s.io/v1', 'Lease', 'leases'),
  event: kind('events.k8s.io/v1', 'Event', 'events'),
} as const;

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

/** Times are strings here, as on the wire; the library's own classes turn them into dates. */
export type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
};

export type KubeObject = { apiVersion: string; kind: string; metadata: ObjectMeta };

/** `namespace/name`: what queues and caches know an object by. */
export function keyOf(object: { metadata: { name: string; namespace?: string } }): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The path of a collection, or of one object and its subresource. */
export function pathOf(
  type: ResourceType,
  at: { namespace?: string; name?: string; subresource?: string } = {},
): string {
  const root = type.apiVersion.includes('/') ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  const namespace = at.namespace ? `/namespaces/${encodeURIComponent(at.namespace)}` : '';
  const name = at.name ? `/${encodeURIComponent(at.name)}` : '';
  const subresource = at.subresource ? `/${at.subresource}` : '';
  return `${root}${namespace}/${type.plural}${name}${subresource}`;
}

export function typeOf(object: KubeObject): ResourceType {
  for (const type of Object.values(TYPES)) {
    if (type.kind === object.kind && type.apiVersion === object.apiVersion) return type;
  }
  throw new Error(`The operator knows no ${object.apiVersion} ${object.kind}.`);
}
