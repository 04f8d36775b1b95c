// core-site.xml and hdfs-site.xml: of the servers of a cell's HDFS, and of HBase as its client.
import { podHost, podName, podServiceHost, type Owner } from '../../resources/owner.ts';
import { zookeeperHosts } from '../../resources/zookeeper.ts';
import type { CellSpec, HdfsSpec } from '../../types.ts';
import { siteXml } from './hbase-site.ts';

export const NAME_NODE_PORT = 8020;
export const NAME_NODE_HTTP_PORT = 9870;
export const FAILOVER_PORT = 8019;
export const JOURNAL_PORT = 8485;
export const JOURNAL_HTTP_PORT = 8480;
export const DATA_NODE_PORT = 9866;
export const DATA_NODE_IPC_PORT = 9867;
export const DATA_NODE_HTTP_PORT = 9864;
/** Where a NameNode reads which DataNodes are not in service. */
export const DATA_NODES_FILE = 'data-nodes.json';
/** What clients call the file system; no name of DNS. */
const NAME_SERVICE = 'cell';

const range = (count: number): number[] => Array.from({ length: count }, (_, ordinal) => ordinal);

/** Two NameNodes share their edits by journals, and one takes over from the other. */
export const isPair = (hdfs: HdfsSpec): boolean => hdfs.nameNodes.replicas > 1;

/**
 * A client of Hadoop looks a NameNode's name up once: it asks a dead pod's address again whenever a connection is anew, for
 * as long as it lives. So clients know NameNodes by Services of their own, whose addresses stay; NameNodes know each other
 * by their pods, since not every network lets a pod reach itself by its Service.
 */
type HostOf = typeof podHost;

/** Where HBase's files are. */
export const fileSystemUrl = (owner: Owner, hdfs: HdfsSpec): string => urlAt(owner, hdfs, podServiceHost);

const urlAt = (owner: Owner, hdfs: HdfsSpec, hostOf: HostOf): string =>
  `hdfs://${isPair(hdfs) ? NAME_SERVICE : `${hostOf(owner, 'name-node', 0)}:${NAME_NODE_PORT}`}`;

export function journalHosts(owner: Owner, hdfs: HdfsSpec): string[] {
  return isPair(hdfs) ? range(hdfs.journalNodes.replicas).map((n) => podHost(owner, 'journal-node', n)) : [];
}

/** The files that each server of HDFS and of HBase reads, but for NameNodes. */
export function hadoopFiles(owner: Owner, spec: CellSpec, hdfs: HdfsSpec): Record<string, string> {
  return {
    'core-site.xml': siteXml(coreSettings(owner, spec, hdfs, podServiceHost)),
    'hdfs-site.xml': siteXml(hdfsSettings(owner, hdfs, podServiceHost)),
  };
}

/** A NameNode is told which one it is. */
export function nameNodeFiles(owner: Owner, spec: CellSpec, hdfs: HdfsSpec): Record<string, string> {
  const own: Record<string, string> = isPair(hdfs) ? { 'dfs.ha.namenode.id': '${env.POD_NAME}' } : {};
  return {
    'core-site.xml': siteXml(coreSettings(owner, spec, hdfs, podHost)),
    'hdfs-site.xml': siteXml({
      ...hdfsSettings(owner, hdfs, podHost),
      ...own,
      // DataNodes that go for good, and those that HDFS does without for a while.
      'dfs.namenode.hosts.provider.classname':
        'org.apache.hadoop.hdfs.server.blockmanagement.CombinedHostFileManager',
      'dfs.hosts': `/conf/${DATA_NODES_FILE}`,
      'dfs.namenode.decommission.interval': '3s',
      // A copy that was ordered and did not come, as to a DataNode that has a broken one, is ordered from another soon, not
      // after five to ten minutes: a DataNode that rests waits for it.
      'dfs.namenode.reconstruction.pending.timeout-sec': '10',
    }),
  };
}

function coreSettings(owner: Owner, spec: CellSpec, hdfs: HdfsSpec, hostOf: HostOf): Record<string, string> {
  return {
    'fs.defaultFS': urlAt(owner, hdfs, hostOf),
    'hadoop.tmp.dir': '/tmp',
    'hadoop.http.staticuser.user': 'cellpost',
    ...(isPair(hdfs) && {
      'ha.zookeeper.quorum': zookeeperHosts(owner, spec.zookeeper.replicas)
        .map((host) => `${host}:2181`)
        .join(','),
      // As new as the volumes: an older record would speak of another file system.
      'ha.zookeeper.parent-znode': `/hdfs-${owner.uid}`,
      // A NameNode that ends is seen at once by its health; this is for one whose node is gone. On a busy machine shorter
      // sessions end although all is well. The most that a cell's ZooKeeper allows.
      'ha.zookeeper.session-timeout.ms': '10000',
      'ha.health-monitor.check-interval.ms': '500',
      'ha.health-monitor.rpc-timeout.ms': '5000',
      'ha.failover-controller.graceful-fence.rpc-timeout.ms': '3000',
    }),
    // A server that is gone is given up soon: another is there.
    'ipc.client.connect.max.retries': '1',
    'ipc.client.connect.retry.interval': '200',
    'ipc.client.connect.timeout': '2000',
    'ipc.client.connect.max.retries.on.timeouts': '1',
    // To connect anew may take that long, as to a journal whose pod has another address now; a connection costs little.
    'ipc.client.connection.maxidletime': '3600000',
  };
}

function hdfsSettings(owner: Owner, hdfs: HdfsSpec, hostOf: HostOf): Record<string, string> {
  return {
    ...(isPair(hdfs) ? pairSettings(owner, hdfs, hostOf) : singleSettings(owner, hostOf)),
    'dfs.namenode.rpc-bind-host': '0.0.0.0',
    'dfs.namenode.http-bind-host': '0.0.0.0',
    'dfs.namenode.name.dir': 'file:///data/name',
    'dfs.namenode.safemode.extension': '0',
    'dfs.namenode.handler.count': '10',
    // Pods have no reverse DNS when they register.
    'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
    // NetworkPolicies say who may connect; all that do are one user.
    'dfs.permissions.enabled': 'false',

    'dfs.replication': String(hdfs.replication),
    'dfs.blocksize': '33554432',
    'dfs.datanode.data.dir': 'file:///data/blocks',
    // The stable name of the pod: its address changes.
    'dfs.datanode.hostname': '${env.POD_FQDN}',
    'dfs.client.use.datanode.hostname': 'true',
    'dfs.datanode.use.datanode.hostname': 'true',
    // HBase drops its log of what a closed file holds: by then the file must be on the disks.
    'dfs.datanode.synconclose': 'true',

    // A DataNode that is gone is avoided after 5 s, and given up after 20 s: its blocks are copied anew.
    'dfs.heartbeat.interval': '1',
    'dfs.namenode.heartbeat.recheck-interval': '5000',
    'dfs.namenode.stale.datanode.interval': '5000',
    'dfs.namenode.avoid.read.stale.datanode': 'true',
    'dfs.namenode.avoid.write.stale.datanode': 'true',
    'dfs.client.socket-timeout': '5000',
    'dfs.datanode.socket.write.timeout': '5000',
    'dfs.client.retry.window.base': '300',
    'dfs.client.datanode-restart.timeout': '10s',
    // HBase starts a new log file on other DataNodes by itself.
    'dfs.client.block.write.replace-datanode-on-failure.policy': 'NEVER',
  };
}

function pairSettings(owner: Owner, hdfs: HdfsSpec, hostOf: HostOf): Record<string, string> {
  const ids = range(hdfs.nameNodes.replicas).map((n) => ({
    id: podName(owner, 'name-node', n),
    host: hostOf(owner, 'name-node', n),
  }));
  const journals = journalHosts(owner, hdfs).map((host) => `${host}:${JOURNAL_PORT}`);
  return {
    'dfs.nameservices': NAME_SERVICE,
    [`dfs.ha.namenodes.${NAME_SERVICE}`]: ids.map(({ id }) => id).join(','),
    ...Object.fromEntries(
      ids.flatMap(({ id, host }) => [
        [`dfs.namenode.rpc-address.${NAME_SERVICE}.${id}`, `${host}:${NAME_NODE_PORT}`],
        [`dfs.namenode.http-address.${NAME_SERVICE}.${id}`, `${host}:${NAME_NODE_HTTP_PORT}`],
      ]),
    ),
    'dfs.namenode.shared.edits.dir': `qjournal://${journals.join(';')}/${NAME_SERVICE}`,
    'dfs.journalnode.edits.dir': '/data/edits',
    'dfs.ha.automatic-failover.enabled': 'true',
    // The journals fence: they take edits of the newest epoch only.
    'dfs.ha.fencing.methods': 'shell(/bin/true)',
    'dfs.ha.tail-edits.period': '5',
    [`dfs.client.failover.proxy.provider.${NAME_SERVICE}`]:
      'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
    'dfs.client.failover.sleep.base.millis': '200',
    'dfs.client.failover.sleep.max.millis': '2000',
  };
}

function singleSettings(owner: Owner, hostOf: HostOf): Record<string, string> {
  const host = hostOf(owner, 'name-node', 0);
  return {
    'dfs.namenode.rpc-address': `${host}:${NAME_NODE_PORT}`,
    'dfs.namenode.http-address': `${host}:${NAME_NODE_HTTP_PORT}`,
  };
}
