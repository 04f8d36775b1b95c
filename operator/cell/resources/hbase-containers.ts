// HBase's processes as containers: of one pod, or each of a pod of its own.
import type { V1Container, V1EnvVar, V1VolumeMount } from '@kubernetes/client-node';
import { heapMib, hbaseJavaOptions } from '../../resources/java.ts';
import { serviceHost, type StorageRole } from '../../resources/owner.ts';
import { CONTAINER_SECURITY, probeHttp, probeScript, probeTcp, resourcesOf } from '../../resources/pod.ts';
import type { JavaServer, Resources } from '../../types.ts';
import type { CellContext } from '../context.ts';

/** Where a container runs: in a pod of which role, with which volumes besides configuration and /tmp. */
export type Place = { context: CellContext; role: StorageRole; mounts: V1VolumeMount[] };

export const MASTER_PORT = 16_000;
export const REGION_SERVER_PORT = 16_020;
export const REST_PORT = 8080;
/** Resident memory besides the heap, as measured: 206 MB at a heap of 192 (master), 183 at 320 not full, 161 at 96. */
const MASTER_BESIDES_MIB = 160;
const REGION_SERVER_DIRECT_MIB = 96;
const REGION_SERVER_BESIDES_MIB = 160 + REGION_SERVER_DIRECT_MIB;
const REST_BESIDES_MIB = 140;
export const CLASS_PATH = '/conf:/opt/hbase/web:/opt/hbase/lib/*:/opt/hbase/rest/*';
export function master(place: Place, { resources, jvm }: JavaServer): V1Container {
  // Meta has to be assigned and the old logs split before it is ready.
  const probe = { periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(place, 'master', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, MASTER_BESIDES_MIB), jvm),
      'org.apache.hadoop.hbase.master.HMaster',
      'start',
    ),
    ports: [{ name: 'master', containerPort: MASTER_PORT, protocol: 'TCP' }],
    startupProbe: probeTcp(MASTER_PORT, { ...probe, failureThreshold: 150 }),
    livenessProbe: probeTcp(MASTER_PORT, { periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }),
    readinessProbe: probeScript('/conf/master-ready.sh', probe),
  };
}

export function regionServer(place: Place, { resources, jvm }: JavaServer): V1Container {
  const probe = { periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(place, 'region-server', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, REGION_SERVER_BESIDES_MIB), jvm, [
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

export function rest(place: Place, { resources, jvm }: JavaServer): V1Container {
  const probe = { periodSeconds: 3, failureThreshold: 3, timeoutSeconds: 5 };
  return {
    ...container(place, 'rest', resources),
    command: java(
      hbaseJavaOptions(heapMib(resources, REST_BESIDES_MIB), jvm),
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

/** The command of a JVM. */
export const java = (options: string[], ...main: string[]): string[] => [
  'java',
  ...options,
  '-cp',
  CLASS_PATH,
  ...main,
];

/** What all containers of the image share; the pod's stable name is in POD_FQDN. */
export function container({ context, role, mounts }: Place, name: string, resources: Resources): V1Container {
  const env: V1EnvVar[] = [
    { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    { name: 'POD_FQDN', value: `$(POD_NAME).${serviceHost(context.owner, role)}` },
  ];
  return {
    name,
    image: context.images.hbase,
    imagePullPolicy: context.images.pullPolicy,
    securityContext: CONTAINER_SECURITY,
    env,
    resources: resourcesOf(resources),
    volumeMounts: [
      ...mounts,
      { name: 'conf', mountPath: '/conf', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}
