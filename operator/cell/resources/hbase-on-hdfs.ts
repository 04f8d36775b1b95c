// HBase on HDFS: masters, region servers and the REST server in pods of their own; none has a volume.
import { operatorOf, podsOf, to } from '../../resources/peers.ts';
import { roleObjects } from './storage-role.ts';
import type { V1Container } from '@kubernetes/client-node';
import type { Call } from '../../resources/manifests.ts';
import { podHost, type Owner, type Role } from '../../resources/owner.ts';
import { script } from '../../resources/scripts.ts';
import { CLIENT_PORT, zookeeperHosts } from '../../resources/zookeeper.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec, HdfsSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';
import {
  MASTER_PORT,
  REGION_SERVER_PORT,
  REST_PORT,
  master,
  regionServer,
  rest,
} from './hbase-containers.ts';
import { hbaseSettings, hdfsStorage, siteXml } from './hbase-site.ts';
import { callsOfHdfsClient } from './hdfs.ts';
import { fileSystemUrl, hadoopFiles } from './hdfs-site.ts';

const MASTER_INFO_PORT = 16_010;
const REGION_SERVER_INFO_PORT = 16_030;
const SERVERS: Role[] = ['hbase-master', 'region-server', 'hbase-rest'];

/** `host:port` of each master. */
export function masterAddresses(owner: Owner, spec: CellSpec): string[] {
  return Array.from(
    { length: spec.hbase.masters },
    (_, ordinal) => `${podHost(owner, 'hbase-master', ordinal)}:${MASTER_PORT}`,
  );
}

/** Where clients begin: the masters, and the one region server that no scaling takes away. */
export function bootstrapAddresses(owner: Owner, spec: CellSpec): string[] {
  return [...masterAddresses(owner, spec), `${podHost(owner, 'region-server', 0)}:${REGION_SERVER_PORT}`];
}

export const restUrlOf = (owner: Owner): string => `http://${podHost(owner, 'hbase-rest', 0)}:${REST_PORT}`;

export function masterResources(context: CellContext, spec: CellSpec, hdfs: HdfsSpec): KubeObject[] {
  const { owner } = context;
  const role = 'hbase-master';
  return roleObjects(context, {
    role,
    replicas: spec.hbase.masters,
    files: {
      ...hbaseFiles(owner, spec, hdfs, MASTER_SESSION),
      'master-ready.sh': script('hbase-any-master-ready.sh'),
    },
    ports: { master: MASTER_PORT, info: MASTER_INFO_PORT },
    allow: [
      { from: podsOf(owner, ['app-server', ...SERVERS]), ports: [MASTER_PORT] },
      { from: [operatorOf(context)], ports: [MASTER_PORT, MASTER_INFO_PORT] },
    ],
    calls: [...callsOfHBase(owner), ...callsOfHdfsClient(owner)],
    containers: [askedLess(master({ context, role, mounts: [] }, spec.hbase.master))],
    terminationGracePeriodSeconds: 15,
  });
}

export function regionServerResources(context: CellContext, spec: CellSpec, hdfs: HdfsSpec): KubeObject[] {
  const { owner } = context;
  const role = 'region-server';
  return roleObjects(context, {
    role,
    replicas: spec.hbase.regionServers,
    files: {
      ...hbaseFiles(owner, spec, hdfs),
      'region-server-ready.sh': script('hbase-own-region-server-ready.sh'),
    },
    ports: { 'region-server': REGION_SERVER_PORT, info: REGION_SERVER_INFO_PORT },
    allow: [
      { from: podsOf(owner, ['app-server', ...SERVERS]), ports: [REGION_SERVER_PORT] },
      { from: [operatorOf(context)], ports: [REGION_SERVER_PORT, REGION_SERVER_INFO_PORT] },
    ],
    calls: [...callsOfHBase(owner), ...callsOfHdfsClient(owner)],
    containers: [askedLess(regionServer({ context, role, mounts: [] }, spec.hbase.regionServer))],
    // It closes its regions: what they hold in memory is written to files.
    terminationGracePeriodSeconds: 60,
  });
}

export function restResources(context: CellContext, spec: CellSpec, hdfs: HdfsSpec): KubeObject[] {
  const { owner } = context;
  const role = 'hbase-rest';
  return roleObjects(context, {
    role,
    replicas: 1,
    files: hbaseFiles(owner, spec, hdfs),
    ports: { rest: REST_PORT },
    allow: [{ from: [operatorOf(context)], ports: [REST_PORT] }],
    calls: callsOfHBase(owner),
    containers: [rest({ context, role, mounts: [] }, spec.hbase.rest)],
    terminationGracePeriodSeconds: 10,
  });
}

/** Servers of HBase find each other by ZooKeeper. */
const callsOfHBase = (owner: Owner): Call[] => [
  to(owner, ['zookeeper'], CLIENT_PORT),
  to(owner, ['hbase-master'], MASTER_PORT),
  to(owner, ['region-server'], REGION_SERVER_PORT),
];

/** Many pods of a cell ask by script, each a process: often only until it is ready for the first time. */
function askedLess(container: V1Container): V1Container {
  const { readinessProbe } = container;
  return {
    ...container,
    startupProbe: { ...readinessProbe, periodSeconds: 2, failureThreshold: 300 },
    readinessProbe: { ...readinessProbe, periodSeconds: 10 },
  };
}

/** Nobody waits for a master that is gone, and one that is only slow should stay: the most that ZooKeeper allows. */
const MASTER_SESSION = { 'zookeeper.session.timeout': '10000' };

function hbaseFiles(
  owner: Owner,
  spec: CellSpec,
  hdfs: HdfsSpec,
  own: Record<string, string> = {},
): Record<string, string> {
  return {
    ...hadoopFiles(owner, spec, hdfs),
    'hbase-site.xml': siteXml({
      ...hbaseSettings({
        zookeeperHosts: zookeeperHosts(owner, spec.zookeeper.replicas),
        // As new as the volumes, see there.
        znodeParent: `/hbase-${owner.uid}`,
        storage: hdfsStorage(`${fileSystemUrl(owner, hdfs)}/hbase`),
      }),
      ...own,
    }),
  };
}
