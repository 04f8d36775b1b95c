// What is seen of a cell's pods at the start of a reconcile.
import { observeStatefulSet, ofRole, podTroubles, type Observed } from '../observe.ts';
import type { Owner } from '../resources/owner.ts';
import type { Cell } from '../types.ts';
import type { Caches } from '../world.ts';

export type CellObservation = {
  zookeeper: Observed;
  hbase: Observed;
  appServers: Observed;
  podTroubles: string[];
};

export const hibernates = ({ spec }: Cell): boolean => spec.state === 'Hibernated';

/** How many pods of each role there should be. */
export function wantedPods(cell: Cell): { zookeeper: number; hbase: number; appServers: number } {
  if (hibernates(cell)) return { zookeeper: 0, hbase: 0, appServers: 0 };
  const { spec } = cell;
  return { zookeeper: spec.zookeeper.replicas, hbase: 1, appServers: spec.appServers.replicas };
}

export function observeCell(caches: Caches, owner: Owner, cell: Cell): CellObservation {
  const wanted = wantedPods(cell);
  return {
    zookeeper: observeStatefulSet(caches, owner, 'zookeeper', wanted.zookeeper),
    hbase: observeStatefulSet(caches, owner, 'hbase', wanted.hbase),
    appServers: observeStatefulSet(caches, owner, 'app-server', wanted.appServers),
    podTroubles: podTroubles(ofRole(caches.pods, owner)),
  };
}
