// Whom an object belongs to, and what it is called and labelled for that.
import type { KubeObject, ObjectMeta, OwnerReference } from '../runtime/resources.ts';

const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const COMPONENT = 'app.kubernetes.io/component';
/** Caches hold what has this label. */
export const MANAGED_SELECTOR = `${MANAGED_BY}=cellpost`;

/** HDFS and HBase on it, in the order of their start. */
export const HDFS_ROLES = ['journal-node', 'name-node', 'data-node'] as const;
export const HBASE_ROLES = ['hbase-master', 'region-server', 'hbase-rest'] as const;
/** One pod with all of HBase (Local), or roles of their own over HDFS. */
export type StorageRole = 'hbase' | (typeof HDFS_ROLES)[number] | (typeof HBASE_ROLES)[number];
export type Role =
  | StorageRole
  | 'zookeeper'
  | 'app-server'
  | 'discovery'
  | 'mta-proxy'
  | 'user-index'
  | 'memcached'
  | 'memcache-dirty'
  | 'console'
  | 'web';

/** A cell or platform, as builders need it. */
export type Owner = {
  apiVersion: string;
  kind: 'Cell' | 'Platform';
  name: string;
  namespace: string;
  uid: string;
  /** The cluster's DNS domain, such as cluster.local. */
  domain: string;
};

/** @throws when the object has no uid: it does not come from the API server */
export function ownerOf(object: KubeObject, domain: string): Owner {
  const { name, namespace, uid } = object.metadata;
  const { kind } = object;
  if (!uid || !namespace || (kind !== 'Cell' && kind !== 'Platform'))
    throw new Error(`${kind} ${name} can own nothing.`);
  return { apiVersion: object.apiVersion, kind, name, namespace, uid, domain };
}

/** The label that names the owner, and is on all that is its. */
export const ownerLabel = (kind: 'Cell' | 'Platform'): string => `cellpost.dev/${kind.toLowerCase()}`;

/** How the objects of one owner are found among all: `Cell/mail/a`; undefined for what has none. */
export function groupOf({ metadata: { namespace = '', labels = {} } }: KubeObject): string | undefined {
  for (const kind of ['Cell', 'Platform'] as const) {
    const name = labels[ownerLabel(kind)];
    if (name !== undefined) return groupName({ kind, namespace, name });
  }
  return undefined;
}

export const groupName = ({ kind, namespace, name }: Pick<Owner, 'kind' | 'namespace' | 'name'>): string =>
  `${kind}/${namespace}/${name}`;

/** What pods of a role are selected by; never changes, for selectors can't. */
export function selectorOf(owner: Owner, role: Role): Record<string, string> {
  return { [ownerLabel(owner.kind)]: owner.name, [COMPONENT]: role };
}

export function labelsOf(owner: Owner, role?: Role): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'cellpost',
    'app.kubernetes.io/instance': owner.name,
    'app.kubernetes.io/part-of': owner.kind.toLowerCase(),
    [MANAGED_BY]: 'cellpost',
    [ownerLabel(owner.kind)]: owner.name,
    ...(role && { [COMPONENT]: role }),
  };
}

/** Metadata of a child: it goes when its owner goes. */
export function childMeta(owner: Owner, name: string, role?: Role): ObjectMeta {
  const reference: OwnerReference = {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.name,
    uid: owner.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    name,
    namespace: owner.namespace,
    labels: labelsOf(owner, role),
    ownerReferences: [reference],
  };
}

const SHORT: Record<Role, string> = {
  zookeeper: 'zk',
  hbase: 'hbase',
  'journal-node': 'jn',
  'name-node': 'nn',
  'data-node': 'dn',
  'hbase-master': 'hm',
  'region-server': 'rs',
  'hbase-rest': 'rest',
  'app-server': 'app',
  discovery: 'discovery',
  'mta-proxy': 'mta-proxy',
  'user-index': 'user-index',
  memcached: 'memcached',
  'memcache-dirty': 'memcache-dirty',
  console: 'console',
  web: 'web',
};

/** The name of a role's StatefulSet or Deployment and of its Service: `a-zk`, `a-app`. */
export function roleName(owner: { name: string }, role: Role): string {
  return `${owner.name}-${SHORT[role]}`;
}

/** A pod of a role's StatefulSet: `a-zk-0`. */
export function podName(owner: { name: string }, role: Role, ordinal: number): string {
  return `${roleName(owner, role)}-${ordinal}`;
}

/** `a-zk.mail.svc.cluster.local` */
export function serviceHost(owner: Owner, role: Role): string {
  return `${roleName(owner, role)}.${owner.namespace}.svc.${owner.domain}`;
}

/** The DNS name of a Service for one pod of a StatefulSet, whose address outlives the pod: `c-nn-0.mail.svc.cluster.local`. */
export function podServiceHost(owner: Owner, role: Role, ordinal: number): string {
  return `${podName(owner, role, ordinal)}.${owner.namespace}.svc.${owner.domain}`;
}

/** The stable DNS name of a StatefulSet's pod: `a-zk-0.a-zk.mail.svc.cluster.local`. */
export function podHost(owner: Owner, role: Role, ordinal: number): string {
  return `${podName(owner, role, ordinal)}.${serviceHost(owner, role)}`;
}
