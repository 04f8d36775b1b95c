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

export function observeCell(caches: Caches, owner: Owner, cell: Cell): CellObservation {
  const { zookeeper, appServers } = cell.spec;
  return {
    zookeeper: observeStatefulSet(caches, owner, 'zookeeper', zookeeper.replicas),
    hbase: observeStatefulSet(caches, owner, 'hbase', 1),
    appServers: observeStatefulSet(caches, owner, 'app-server', appServers.replicas),
    podTroubles: podTroubles(ofRole(caches.pods, owner)),
  };
}
