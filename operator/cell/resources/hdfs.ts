// HDFS: JournalNodes, NameNodes with their failover controllers, DataNodes.
import type { V1Container, V1Probe } from '@kubernetes/client-node';
import { hadoopJavaOptions, heapMib } from '../../resources/java.ts';
import type { Call } from '../../resources/manifests.ts';
import { podHost, podName, type Owner } from '../../resources/owner.ts';
import { probeHttp, probeScript, probeTcp } from '../../resources/pod.ts';
import { script } from '../../resources/scripts.ts';
import { CLIENT_PORT } from '../../resources/zookeeper.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec, HdfsSpec, Resources, StorageRecord } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { CLASS_PATH, container, java, type Place } from './hbase-containers.ts';
import {
  DATA_NODES_FILE,
  DATA_NODE_HTTP_PORT,
  DATA_NODE_IPC_PORT,
  DATA_NODE_PORT,
  FAILOVER_PORT,
  JOURNAL_HTTP_PORT,
  JOURNAL_PORT,
  NAME_NODE_HTTP_PORT,
  NAME_NODE_PORT,
  hadoopFiles,
  isPair,
  journalHosts,
  nameNodeFiles,
} from './hdfs-site.ts';
import { operatorOf, podsOf, to } from '../../resources/peers.ts';
import { DATA_MOUNT, roleObjects } from './storage-role.ts';

/** Resident memory besides the heap, as measured: 160 MB at a heap of 48 (journal), 195 at 128 (name), 212 at 96 (data). */
const JOURNAL_BESIDES_MIB = 120;
const NAME_BESIDES_MIB = 120;
const DATA_BESIDES_MIB = 130;
/** It watches one NameNode: 90 MB at a heap of 48. */
const FAILOVER_RESOURCES: Resources = {
  requests: { cpu: '20m', memory: '96Mi' },
  limits: { memory: '192Mi' },
};
const FAILOVER_BESIDES_MIB = 90;
/** HBase's processes that read and write files. */
const CLIENTS = ['hbase-master', 'region-server'] as const;

export function journalNodeResources(context: CellContext, spec: CellSpec, hdfs: HdfsSpec): KubeObject[] {
  const role = 'journal-node';
  const { owner } = context;
  const { replicas, resources, jvm, volume } = hdfs.journalNodes;
  const place: Place = { context, role, mounts: [DATA_MOUNT] };
  return roleObjects(context, {
    role,
    replicas,
    files: hadoopFiles(owner, spec, hdfs),
    ports: { rpc: JOURNAL_PORT, http: JOURNAL_HTTP_PORT },
    allow: [
      { from: podsOf(owner, ['name-node', role]), ports: [JOURNAL_PORT, JOURNAL_HTTP_PORT] },
      { from: [operatorOf(context)], ports: [JOURNAL_HTTP_PORT] },
    ],
    calls: [
      to(owner, [role], JOURNAL_PORT, JOURNAL_HTTP_PORT),
      to(owner, ['name-node'], NAME_NODE_HTTP_PORT),
    ],
    containers: [
      {
        ...container(place, role, resources),
        command: java(
          hadoopJavaOptions(heapMib(resources, JOURNAL_BESIDES_MIB), jvm),
          'org.apache.hadoop.hdfs.qjournal.server.JournalNode',
        ),
        ...probes(
          JOURNAL_PORT,
          probeHttp('/jmx?qry=Hadoop:service=JournalNode,name=JournalNodeInfo', JOURNAL_HTTP_PORT, READY),
        ),
      },
    ],
    volume,
    terminationGracePeriodSeconds: 10,
  });
}

/** @param record what the cell's status says; without formattedAt the first NameNode may format itself */
export function nameNodeResources(
  context: CellContext,
  spec: CellSpec,
  hdfs: HdfsSpec,
  record: StorageRecord,
): KubeObject[] {
  const role = 'name-node';
  const { owner } = context;
  const { replicas, resources, jvm, volume } = hdfs.nameNodes;
  const place: Place = { context, role, mounts: [DATA_MOUNT] };
  const nameNode: V1Container = {
    ...container(place, role, resources),
    command: java(
      hadoopJavaOptions(heapMib(resources, NAME_BESIDES_MIB), jvm),
      'org.apache.hadoop.hdfs.server.namenode.NameNode',
    ),
    ...probes(NAME_NODE_PORT, probeScript('/conf/ready.sh', READY)),
  };
  return roleObjects(context, {
    role,
    replicas,
    files: {
      ...nameNodeFiles(owner, spec, hdfs),
      'format.sh': script('hdfs-name-node-format.sh'),
      'ready.sh': script('hdfs-name-node-ready.sh'),
    },
    notes: {
      formatted: record.formattedAt ? 'yes' : 'no',
      [DATA_NODES_FILE]: dataNodeStates(owner, hdfs, record),
    },
    ports: {
      rpc: NAME_NODE_PORT,
      http: NAME_NODE_HTTP_PORT,
      ...(isPair(hdfs) && { failover: FAILOVER_PORT }),
    },
    ownPorts: { rpc: NAME_NODE_PORT, http: NAME_NODE_HTTP_PORT },
    allow: [
      { from: podsOf(owner, [role]), ports: [NAME_NODE_PORT, NAME_NODE_HTTP_PORT, FAILOVER_PORT] },
      { from: podsOf(owner, ['data-node', ...CLIENTS]), ports: [NAME_NODE_PORT] },
      { from: podsOf(owner, ['journal-node']), ports: [NAME_NODE_HTTP_PORT] },
      {
        from: [operatorOf(context)],
        ports: [NAME_NODE_PORT, NAME_NODE_HTTP_PORT, ...(isPair(hdfs) ? [FAILOVER_PORT] : [])],
      },
    ],
    calls: [
      to(owner, ['zookeeper'], CLIENT_PORT),
      to(owner, ['journal-node'], JOURNAL_PORT, JOURNAL_HTTP_PORT),
      to(owner, [role], NAME_NODE_PORT, NAME_NODE_HTTP_PORT, FAILOVER_PORT),
    ],
    initContainers: [format(place, hdfs, record)],
    containers: isPair(hdfs) ? [nameNode, failoverController(place)] : [nameNode],
    volume,
    terminationGracePeriodSeconds: 15,
  });
}

/** DataNodes are clients of each other. */
export const callsOfHdfsClient = (owner: Owner): Call[] => [
  to(owner, ['name-node'], NAME_NODE_PORT),
  to(owner, ['data-node'], DATA_NODE_PORT, DATA_NODE_IPC_PORT),
];

/** DataNodes that go for good or rest, for CombinedHostFileManager; those that it does not name are in service. */
export function dataNodeStates(
  owner: Owner,
  hdfs: HdfsSpec,
  { leaving = [], resting }: StorageRecord,
): string {
  const states = Array.from({ length: hdfs.dataNodes.replicas }, (_, ordinal) => {
    const hostName = podHost(owner, 'data-node', ordinal);
    const pod = podName(owner, 'data-node', ordinal);
    if (leaving.includes(pod)) return { hostName, adminState: 'DECOMMISSIONED' };
    if (resting?.pod !== pod) return [];
    return { hostName, adminState: 'IN_MAINTENANCE', maintenanceExpireTimeInMS: Date.parse(resting.until) };
  });
  return `${JSON.stringify(states.flat())}\n`;
}

function format(place: Place, hdfs: HdfsSpec, record: StorageRecord): V1Container {
  const { owner } = place.context;
  const { resources, jvm } = hdfs.nameNodes;
  const base = container(place, 'format', resources);
  // Each learns its own host name from its pod's, and so which is the other.
  const others = isPair(hdfs) ? [0, 1].map((n) => podHost(owner, 'name-node', n)) : [];
  const environment = {
    CLUSTER_ID: record.clusterId ?? '',
    CLASS_PATH,
    JVM_OPTIONS: hadoopJavaOptions(heapMib(resources, NAME_BESIDES_MIB), jvm).join(' '),
    JOURNALS: journalHosts(owner, hdfs).join(' '),
    NAME_NODES: others.join(' '),
  };
  return {
    ...base,
    command: ['sh', '/conf/format.sh'],
    env: [...(base.env ?? []), ...Object.entries(environment).map(([name, value]) => ({ name, value }))],
  };
}

function failoverController(place: Place): V1Container {
  return {
    ...container({ ...place, mounts: [] }, 'failover', FAILOVER_RESOURCES),
    command: java(
      hadoopJavaOptions(heapMib(FAILOVER_RESOURCES, FAILOVER_BESIDES_MIB)),
      'org.apache.hadoop.hdfs.tools.DFSZKFailoverController',
    ),
    ...probes(FAILOVER_PORT, probeTcp(FAILOVER_PORT, READY)),
  };
}

export function dataNodeResources(context: CellContext, spec: CellSpec, hdfs: HdfsSpec): KubeObject[] {
  const role = 'data-node';
  const { owner } = context;
  const { replicas, resources, jvm, volume } = hdfs.dataNodes;
  const place: Place = { context, role, mounts: [DATA_MOUNT] };
  return roleObjects(context, {
    role,
    replicas,
    files: { ...hadoopFiles(owner, spec, hdfs), 'ready.sh': script('hdfs-data-node-ready.sh') },
    ports: { data: DATA_NODE_PORT, ipc: DATA_NODE_IPC_PORT, http: DATA_NODE_HTTP_PORT },
    allow: [
      { from: podsOf(owner, [role, ...CLIENTS]), ports: [DATA_NODE_PORT, DATA_NODE_IPC_PORT] },
      { from: [operatorOf(context)], ports: [DATA_NODE_HTTP_PORT] },
    ],
    calls: callsOfHdfsClient(owner),
    containers: [
      {
        ...container(place, role, resources),
        command: java(
          hadoopJavaOptions(heapMib(resources, DATA_BESIDES_MIB), jvm),
          'org.apache.hadoop.hdfs.server.datanode.DataNode',
        ),
        ...probes(DATA_NODE_IPC_PORT, probeScript('/conf/ready.sh', READY)),
      },
    ],
    volume,
    terminationGracePeriodSeconds: 10,
  });
}

/**
 * A script in a container costs a tenth of a second of a processor: it is asked often only until it first succeeds, which
 * may take as long as a large image takes to read.
 */
const READY = { periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 };
const STARTED = { periodSeconds: 2, failureThreshold: 300, timeoutSeconds: 5 };

function probes(
  port: number,
  readinessProbe: V1Probe,
): Pick<V1Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'> {
  return {
    startupProbe: { ...readinessProbe, ...STARTED },
    livenessProbe: probeTcp(port, { periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }),
    readinessProbe,
  };
}
