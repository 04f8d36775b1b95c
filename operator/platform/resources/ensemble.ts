// Discovery's own ZooKeeper ensemble.
import { operatorOf, podsOf } from '../../resources/peers.ts';
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
      ...podsOf(owner, ['discovery']),
      // Its rolls ask who leads.
      operatorOf(context),
    ],
  });
}
