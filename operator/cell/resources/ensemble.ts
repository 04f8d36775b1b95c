// The cell's ZooKeeper ensemble: who may talk to it is the cell's business.
import { peer } from '../../resources/manifests.ts';
import { selectorOf } from '../../resources/owner.ts';
import { zookeeperResources } from '../../resources/zookeeper.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';

export function cellEnsembleResources(context: CellContext, spec: CellSpec): KubeObject[] {
  const { owner, platform } = context;
  const discovery = selectorOf({ ...owner, kind: 'Platform', name: platform.name }, 'discovery');
  return zookeeperResources({
    owner,
    spec: spec.zookeeper,
    image: context.images.hbase,
    pullPolicy: context.images.pullPolicy,
    clients: [
      { podSelector: { matchLabels: selectorOf(owner, 'hbase') } },
      { podSelector: { matchLabels: selectorOf(owner, 'app-server') } },
      peer(platform.namespace, discovery),
    ],
  });
}
