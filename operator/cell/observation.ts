// What is seen of a cell's pods at the start of a reconcile.
import { observeStatefulSet, ofRole, podTroubles, type Observed } from '../observe.ts';
import { HDFS_ROLES, type Owner, type StorageRole } from '../resources/owner.ts';
import type { Cell } from '../types.ts';
import type { Caches } from '../world.ts';
import { storageRoles } from './resources/storage.ts';

export type CellObservation = {
  zookeeper: Observed;
  /** Each role of the storage by itself. */
  storage: Partial<Record<StorageRole, Observed>>;
  /** HBase's roles together, and those of HDFS if there are any. */
  hbase: Observed;
  hdfs?: Observed;
  appServers: Observed;
  podTroubles: string[];
};

export const hibernates = ({ spec }: Cell): boolean => spec.state === 'Hibernated';

export type WantedPods = {
  zookeeper: number;
  storage: { role: StorageRole; called: string; wanted: number }[];
  appServers: number;
};

/** How many pods of each role there should be. */
export function wantedPods(cell: Cell): WantedPods {
  const { spec } = cell;
  const asleep = hibernates(cell);
  return {
    zookeeper: asleep ? 0 : (spec.zookeeper.servers ?? spec.zookeeper.replicas),
    storage: storageRoles(spec).map(({ role, called, wanted }) => ({
      role,
      called,
      wanted: asleep ? 0 : wanted,
    })),
    appServers: asleep ? 0 : spec.appServers.replicas,
  };
}

export function observeCell(caches: Caches, owner: Owner, cell: Cell): CellObservation {
  const wanted = wantedPods(cell);
  const seen = wanted.storage.map((one) => ({
    ...one,
    observed: observeStatefulSet(caches, owner, one.role, one.wanted),
  }));
  const isHdfs = (role: StorageRole): boolean => HDFS_ROLES.some((one) => one === role);
  const hdfs = seen.filter(({ role }) => isHdfs(role));
  return {
    zookeeper: observeStatefulSet(caches, owner, 'zookeeper', wanted.zookeeper),
    storage: Object.fromEntries(seen.map(({ role, observed }) => [role, observed])),
    hbase: together(seen.filter(({ role }) => !isHdfs(role))),
    ...(hdfs.length > 0 && { hdfs: together(hdfs) }),
    appServers: observeStatefulSet(caches, owner, 'app-server', wanted.appServers),
    podTroubles: podTroubles(ofRole(caches.pods, owner)),
  };
}

function together(roles: { wanted: number; observed: Observed }[]): Observed {
  const sum = (count: (one: (typeof roles)[number]) => number): number =>
    roles.reduce((total, one) => total + count(one), 0);
  const ready = sum(({ observed }) => observed.ready);
  return {
    exists: roles.every(({ observed }) => observed.exists),
    replicas: sum(({ observed }) => observed.replicas),
    ready,
    summary: `${ready}/${sum(({ wanted }) => wanted)}`,
    upToDate: roles.every(({ observed }) => observed.upToDate),
  };
}
