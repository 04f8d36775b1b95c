// HBase with Local storage: master, region server and REST server as containers of one pod over one volume.
import { onlyTo } from '../../resources/egress.ts';
import {
  configMap,
  disruptionBudget,
  networkPolicy,
  service,
  servicePort,
  statefulSet,
} from '../../resources/manifests.ts';
import { childMeta, podHost, roleName, selectorOf, type Owner } from '../../resources/owner.ts';
import { claimTemplate, podTemplate } from '../../resources/pod.ts';
import { script } from '../../resources/scripts.ts';
import { CLIENT_PORT, zookeeperHosts } from '../../resources/zookeeper.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';
import {
  MASTER_PORT,
  REGION_SERVER_PORT,
  REST_PORT,
  master,
  regionServer,
  rest,
  type Place,
} from './hbase-containers.ts';
import { hbaseSettings, LOCAL_STORAGE, siteXml } from './hbase-site.ts';
import { operatorOf, podsOf, to } from '../../resources/peers.ts';

const ROLE = 'hbase';
/** Where clients begin, `host:port`; the master is the first. */
export function localBootstrap(owner: Owner): string[] {
  const host = podHost(owner, ROLE, 0);
  return [`${host}:${MASTER_PORT}`, `${host}:${REGION_SERVER_PORT}`];
}

export const localRestUrl = (owner: Owner): string => `http://${podHost(owner, ROLE, 0)}:${REST_PORT}`;

export function hbaseResources(context: CellContext, spec: CellSpec): KubeObject[] {
  const { owner } = context;
  const name = roleName(owner, ROLE);
  const meta = childMeta(owner, name, ROLE);
  const selector = selectorOf(owner, ROLE);
  const place: Place = { context, role: ROLE, mounts: [{ name: 'data', mountPath: '/data' }] };
  const files = {
    'hbase-site.xml': siteXml(
      hbaseSettings({
        zookeeperHosts: zookeeperHosts(owner, spec.zookeeper.replicas),
        // A blank volume with an old record of it leaves the master stuck: both are as old as the cell.
        znodeParent: `/hbase-${owner.uid}`,
        storage: LOCAL_STORAGE,
      }),
    ),
    'log4j.properties': script('log4j.properties'),
    'master-ready.sh': script('hbase-master-ready.sh'),
    'region-server-ready.sh': script('hbase-region-server-ready.sh'),
  };
  return [
    configMap(meta, files),
    service(meta, {
      clusterIP: 'None',
      // Region server and master reach each other by this name before they are ready.
      publishNotReadyAddresses: true,
      selector,
      ports: [
        servicePort('master', MASTER_PORT, MASTER_PORT),
        servicePort('region-server', REGION_SERVER_PORT, REGION_SERVER_PORT),
        servicePort('rest', REST_PORT, REST_PORT),
      ],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(
      meta,
      selector,
      [
        { from: podsOf(owner, ['app-server', ROLE]), ports: [MASTER_PORT, REGION_SERVER_PORT] },
        { from: [operatorOf(context)], ports: [MASTER_PORT, REGION_SERVER_PORT, REST_PORT] },
      ],
      onlyTo(context.egress, [
        to(owner, ['zookeeper'], CLIENT_PORT),
        to(owner, [ROLE], MASTER_PORT, REGION_SERVER_PORT),
      ]),
    ),
    statefulSet(meta, {
      serviceName: name,
      updateStrategy: { type: 'OnDelete' },
      replicas: 1,
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role: ROLE,
        configHash: hashOf(files),
        terminationGracePeriodSeconds: 60,
        containers: [
          master(place, spec.hbase.master),
          regionServer(place, spec.hbase.regionServer),
          rest(place, spec.hbase.rest),
        ],
        volumes: [
          { name: 'conf', configMap: { name } },
          { name: 'tmp', emptyDir: { sizeLimit: '256Mi' } },
        ],
      }),
      volumeClaimTemplates: [claimTemplate(owner, ROLE, 'data', spec.hbase.volume)],
    }),
  ];
}
