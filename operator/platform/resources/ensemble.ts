// Discovery's own ZooKeeper ensemble.
import { peer } from '../../resources/manifests.ts';
import { selectorOf } from '../../resources/owner.ts';
import { zookeeperResources } from '../../resources/zookeeper.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { PlatformSpec } from '../../types.ts';
import type { PlatformContext } from '../context.ts';

export function platformEnsembleResources(context: PlatformContext, spec: PlatformSpec): KubeObject[] {
  const { owner, images, egress } = context;
  return zookeeperResources({
    owner,
    spec: spec.zookeeper,
    image: images.hbase,
    pullPolicy: images.pullPolicy,
    egress,
    clients: [
      { podSelector: { matchLabels: selectorOf(owner, 'discovery') } },
      // Its rolls ask who leads.
      peer(context.operatorNamespace, context.operatorLabels),
    ],
  });
}
