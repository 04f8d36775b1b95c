// How many pods each role has just now, and how large its volumes are. Where the spec asks for less, what is there stays
// until it may go: everything is built for these sizes, and only the steps of hardware changes know what is asked.
import { ofRole } from '../../observe.ts';
import { roleName, type Owner, type Role } from '../../resources/owner.ts';
import type { CellSpec, CellStatus, Volume } from '../../types.ts';
import type { ClaimObject, StatefulSetObject } from '../../world.ts';

/** Roles whose pods may become fewer. Those with volumes have as many members as claims: a claim goes when its data may. */
export const SHRINKING = ['app-server', 'region-server', 'hbase-master', 'data-node', 'zookeeper'] as const;
export type ShrinkingRole = (typeof SHRINKING)[number];
const STORED = ['zookeeper', 'hbase', 'journal-node', 'name-node', 'data-node'] as const;
export type StoredRole = (typeof STORED)[number];

export type Seen = {
  /** Pods by role, those on their way out not counted; 0 when there are none yet. */
  pods: Record<ShrinkingRole, number>;
  /** Size of the volumes that each role's StatefulSet asks for; absent when there is none. */
  volumes: Partial<Record<StoredRole, string | number>>;
  /** Members of the ensemble; undefined before it is formed. */
  members: number | undefined;
};

/** What of the caches sizes are read from. */
export type SizesSeenIn = {
  statefulSets: { get(namespace: string, name: string): StatefulSetObject | undefined };
  volumeClaims: { group(name: string): ClaimObject[] };
};

export function seenSizes(caches: SizesSeenIn, owner: Owner, status: CellStatus | undefined): Seen {
  const setOf = (role: Role) => caches.statefulSets.get(owner.namespace, roleName(owner, role));
  const claims = (role: Role): number =>
    Math.max(0, ...claimsOf(caches, owner, role).map((claim) => ordinalOf(claim) + 1));
  const volumes = STORED.flatMap((role) => {
    const size = setOf(role)?.spec.volumeClaimTemplates?.[0]?.spec.resources?.requests?.storage;
    return size === undefined ? [] : [[role, size] as const];
  });
  const replicas = (role: Role): number => setOf(role)?.spec.replicas ?? 0;
  return {
    pods: {
      'app-server': replicas('app-server'),
      'region-server': replicas('region-server'),
      'hbase-master': replicas('hbase-master'),
      'data-node': claims('data-node'),
      zookeeper: claims('zookeeper'),
    },
    volumes: Object.fromEntries(volumes),
    members: status?.zookeeper?.formedAt
      ? (status.zookeeper.members ?? (claims('zookeeper') || undefined))
      : undefined,
  };
}

/** A role's claims that are not on their way out. */
export function claimsOf(caches: Pick<SizesSeenIn, 'volumeClaims'>, owner: Owner, role: Role): ClaimObject[] {
  return ofRole(caches.volumeClaims, owner, role).filter(({ metadata }) => !metadata.deletionTimestamp);
}

/** `data-c-dn-2` belongs to the pod with number 2. */
export function ordinalOf({ metadata: { name } }: { metadata: { name: string } }): number {
  return Number(name.slice(name.lastIndexOf('-') + 1));
}

/**
 * The spec as it can be built now. ZooKeeper's number is that of the ensemble's members: whoever connects goes by it.
 * @param asked what the cell's spec says
 */
export function specNow(asked: CellSpec, { pods, volumes, members }: Seen): CellSpec {
  const atLeast = (role: ShrinkingRole, wanted: number): number => Math.max(wanted, pods[role]);
  const sized = (role: StoredRole, volume: Volume): Volume => ({
    ...volume,
    size: volumes[role] ?? volume.size,
  });
  const { zookeeper, hbase, appServers } = asked;
  const { hdfs } = hbase;
  return {
    ...asked,
    zookeeper: {
      ...zookeeper,
      replicas: members ?? zookeeper.replicas,
      servers: Math.max(zookeeper.replicas, members ?? 0, pods.zookeeper),
      storage: sized('zookeeper', zookeeper.storage),
    },
    hbase: {
      ...hbase,
      masters: atLeast('hbase-master', hbase.masters),
      regionServers: atLeast('region-server', hbase.regionServers),
      volume: sized('hbase', hbase.volume),
      ...(hdfs && {
        hdfs: {
          ...hdfs,
          nameNodes: { ...hdfs.nameNodes, volume: sized('name-node', hdfs.nameNodes.volume) },
          journalNodes: { ...hdfs.journalNodes, volume: sized('journal-node', hdfs.journalNodes.volume) },
          dataNodes: {
            ...hdfs.dataNodes,
            replicas: atLeast('data-node', hdfs.dataNodes.replicas),
            volume: sized('data-node', hdfs.dataNodes.volume),
          },
        },
      }),
    },
    appServers: { ...appServers, replicas: atLeast('app-server', appServers.replicas) },
  };
}

/** How many pods a role is asked to have; undefined when the cell has no such role. */
export function askedPods(asked: CellSpec, role: ShrinkingRole): number | undefined {
  const { hbase } = asked;
  switch (role) {
    case 'app-server':
      return asked.appServers.replicas;
    case 'zookeeper':
      return asked.zookeeper.replicas;
    case 'region-server':
      return hbase.storage === 'HDFS' ? hbase.regionServers : undefined;
    case 'hbase-master':
      return hbase.storage === 'HDFS' ? hbase.masters : undefined;
    case 'data-node':
      return hbase.hdfs?.dataNodes.replicas;
  }
}
