// The cell's ZooKeeper ensemble: who may talk to it is the cell's business.
import { peer } from '../../resources/manifests.ts';
import { HBASE_ROLES, selectorOf, type Role } from '../../resources/owner.ts';
import { zookeeperResources } from '../../resources/zookeeper.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { operatorOf, podsOf } from '../../resources/peers.ts';

export function cellEnsembleResources(context: CellContext, spec: CellSpec): KubeObject[] {
  const { owner, platform } = context;
  const discovery = selectorOf({ ...owner, kind: 'Platform', name: platform.name }, 'discovery');
  // HBase and the failover controllers beside NameNodes; other servers of HDFS have no business there.
  const storage: Role[] = spec.hbase.storage === 'Local' ? ['hbase'] : ['name-node', ...HBASE_ROLES];
  return zookeeperResources({
    owner,
    spec: spec.zookeeper,
    image: context.images.hbase,
    pullPolicy: context.images.pullPolicy,
    egress: context.egress,
    // The operator's rolls ask who leads.
    clients: [
      ...podsOf(owner, [...storage, 'app-server']),
      peer(platform.namespace, discovery),
      operatorOf(context),
    ],
  });
}
