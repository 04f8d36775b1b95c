// HBase with Local storage: master, region server and REST server as containers of one pod over one volume.
import type { V1Container, V1EnvVar } from '@kubernetes/client-node';
import { heapMib, hbaseJavaOptions } from '../../resources/java.ts';
import {
  configMap,
  disruptionBudget,
  networkPolicy,
  peer,
  service,
  statefulSet,
} from '../../resources/manifests.ts';
import { childMeta, podHost, roleName, selectorOf, serviceHost, type Owner } from '../../resources/owner.ts';
import {
  CONTAINER_SECURITY,
  claimTemplate,
  podTemplate,
  probeHttp,
  probeScript,
  probeTcp,
  resourcesOf,
} from '../../resources/pod.ts';
import { script } from '../../resources/scripts.ts';
import { zookeeperHosts } from '../../resources/zookeeper.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec, Resources } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { hbaseSettings, hbaseSiteXml } from './hbase-site.ts';

const ROLE = 'hbase';
const MASTER_PORT = 16_000;
const REGION_SERVER_PORT = 16_020;
const REST_PORT = 8080;
/** Resident memory besides the heap, as measured: 206 MB at a heap of 192 (master), 183 at 320 not full, 161 at 96. */
const MASTER_BESIDES_MIB = 160;
const REGION_SERVER_DIRECT_MIB = 96;
const REGION_SERVER_BESIDES_MIB = 160 + REGION_SERVER_DIRECT_MIB;
const REST_BESIDES_MIB = 140;
const CLASS_PATH = '/conf:/opt/hbase/web:/opt/hbase/lib/*:/opt/hbase/rest/*';
/** The log table. */
export const LOG_TABLE = 'cellpost';

/** `hbase://master,regionServer/table` for app servers. */
export function logStoreUrl(owner: Owner): string {
  const host = podHost(owner, ROLE, 0);
  return `hbase://${host}:${MASTER_PORT},${host}:${REGION_SERVER_PORT}/${LOG_TABLE}`;
}

/** Where the schema is made and checked. */
export function schemaServers(owner: Owner): { restUrl: string; master: string } {
  const host = podHost(owner, ROLE, 0);
  return { restUrl: `http://${host}:${REST_PORT}`, master: `${host}:${MASTER_PORT}` };
}

export function hbaseResources(context: CellContext, spec: CellSpec): KubeObject[] {
  const { owner } = context;
  const name = roleName(owner, ROLE);
  const meta = childMeta(owner, name, ROLE);
  const selector = selectorOf(owner, ROLE);
  const files = {
    'hbase-site.xml': hbaseSiteXml(
      hbaseSettings({
        zookeeperHosts: zookeeperHosts(owner, spec.zookeeper.replicas),
        // A blank volume with an old record of it leaves the master stuck: both are as old as the cell.
        znodeParent: `/hbase-${owner.uid}`,
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
        { name: 'master', port: MASTER_PORT, protocol: 'TCP', targetPort: MASTER_PORT },
        { name: 'region-server', port: REGION_SERVER_PORT, protocol: 'TCP', targetPort: REGION_SERVER_PORT },
        { name: 'rest', port: REST_PORT, protocol: 'TCP', targetPort: REST_PORT },
      ],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(meta, selector, [
      {
        from: [{ podSelector: { matchLabels: selectorOf(owner, 'app-server') } }],
        ports: [MASTER_PORT, REGION_SERVER_PORT],
      },
      { from: [{ podSelector: { matchLabels: selector } }], ports: [MASTER_PORT, REGION_SERVER_PORT] },
      {
        from: [peer(context.operatorNamespace, context.operatorLabels)],
        ports: [MASTER_PORT, REGION_SERVER_PORT, REST_PORT],
      },
    ]),
    statefulSet(meta, {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role: ROLE,
        configHash: hashOf(files),
        terminationGracePeriodSeconds: 60,
        containers: [
          master(context, spec.hbase.master.resources),
          regionServer(context, spec.hbase.regionServer.resources),
          rest(context, spec.hbase.rest.resources),
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

function master(context: CellContext, resources: Resources): V1Container {
  // Meta has to be assigned and the old logs split before it is ready.
  const probe = { periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(context, 'master', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, MASTER_BESIDES_MIB)),
      'org.apache.hadoop.hbase.master.HMaster',
      'start',
    ),
    ports: [{ name: 'master', containerPort: MASTER_PORT, protocol: 'TCP' }],
    startupProbe: probeTcp(MASTER_PORT, { ...probe, failureThreshold: 150 }),
    livenessProbe: probeTcp(MASTER_PORT, { periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }),
    readinessProbe: probeScript('/conf/master-ready.sh', probe),
  };
}

function regionServer(context: CellContext, resources: Resources): V1Container {
  const probe = { periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(context, 'region-server', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, REGION_SERVER_BESIDES_MIB), [
        `-XX:MaxDirectMemorySize=${REGION_SERVER_DIRECT_MIB}m`,
      ]),
      'org.apache.hadoop.hbase.regionserver.HRegionServer',
      'start',
    ),
    ports: [{ name: 'region-server', containerPort: REGION_SERVER_PORT, protocol: 'TCP' }],
    startupProbe: probeTcp(REGION_SERVER_PORT, { ...probe, failureThreshold: 150 }),
    livenessProbe: probeTcp(REGION_SERVER_PORT, {
      periodSeconds: 10,
      failureThreshold: 6,
      timeoutSeconds: 5,
    }),
    readinessProbe: probeScript('/conf/region-server-ready.sh', probe),
  };
}

function rest(context: CellContext, resources: Resources): V1Container {
  const probe = { periodSeconds: 3, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(context, 'rest', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, REST_BESIDES_MIB)),
      'org.apache.hadoop.hbase.rest.RESTServer',
      'start',
      '-p',
      String(REST_PORT),
      '--infoport',
      '-1',
    ),
    ports: [{ name: 'rest', containerPort: REST_PORT, protocol: 'TCP' }],
    startupProbe: probeHttp('/version', REST_PORT, { ...probe, failureThreshold: 100 }),
    livenessProbe: probeHttp('/version', REST_PORT, { ...probe, periodSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probeHttp('/version', REST_PORT, probe),
  };
}

const java = (options: string[], ...main: string[]): string[] => [
  'java',
  ...options,
  '-cp',
  CLASS_PATH,
  ...main,
];

function container(context: CellContext, name: string, resources: Resources): V1Container {
  const env: V1EnvVar[] = [
    { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    { name: 'POD_FQDN', value: `$(POD_NAME).${serviceHost(context.owner, ROLE)}` },
  ];
  return {
    name,
    image: context.images.hbase,
    imagePullPolicy: context.images.pullPolicy,
    securityContext: CONTAINER_SECURITY,
    env,
    resources: resourcesOf(resources),
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      { name: 'conf', mountPath: '/conf', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}
