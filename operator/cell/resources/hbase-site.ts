// hbase-site.xml of a cell's HBase.

/** Storage on the pod's own volume; RawLocalFileSystem can sync, the checksummed default can't. */
export const LOCAL_STORAGE: Record<string, string> = {
  'hbase.rootdir': 'file:///data/hbase',
  'hbase.tmp.dir': '/tmp',
  'fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
  // Not `filesystem`: that one takes an error of this file system (FSError, as when the volume is full) for no error, and
  // acknowledges what it could not write. This one never answers then.
  'hbase.wal.provider': 'asyncfs',
  'hbase.unsafe.stream.capability.enforce': 'false',
};

/** Storage in HDFS. A file whose writer is gone is taken over within seconds, not within its lease of a minute. */
export function hdfsStorage(rootUrl: string): Record<string, string> {
  return {
    'hbase.rootdir': rootUrl,
    'hbase.tmp.dir': '/tmp',
    'hbase.wal.provider': 'asyncfs',
    'hbase.lease.recovery.first.pause': '300',
    'hbase.lease.recovery.pause': '300',
    'hbase.lease.recovery.dfs.timeout': '3000',
    'hbase.regionserver.hlog.blocksize': '33554432',
    'hbase.regionserver.wal.max.splitters': '4',
    // A region that moves is written out while it still serves, so that little is left to write when it does not.
    'hbase.hregion.preclose.flush.size': '65536',
    // Regions that a restart gathered on one server spread again soon.
    'hbase.balancer.period': '30000',
  };
}

/** Every setting with its reason; single effects of the shorter times were not measured apart. */
export function hbaseSettings(options: {
  zookeeperHosts: string[];
  znodeParent: string;
  storage: Record<string, string>;
}): Record<string, string> {
  return {
    'hbase.cluster.distributed': 'true',
    'hbase.zookeeper.quorum': options.zookeeperHosts.join(','),
    'hbase.zookeeper.property.clientPort': '2181',
    'zookeeper.znode.parent': options.znodeParent,

    ...options.storage,
    // Durable before acknowledged: each group of appends is synced to the disk, not only to the system's cache.
    'hbase.wal.hsync': 'true',
    'hbase.procedure.store.region.wal.sync.failed.ioe': 'true',

    // The stable name of the pod: by reverse DNS the master would see ghosts of pods that are gone.
    'hbase.master.hostname': '${env.POD_FQDN}',
    'hbase.unsafe.regionserver.hostname': '${env.POD_FQDN}',
    'hbase.master.ipc.address': '0.0.0.0',
    'hbase.regionserver.ipc.address': '0.0.0.0',
    'hbase.master.info.port': '16010',
    'hbase.regionserver.info.port': '16030',
    'hbase.rest.info.port': '-1',

    // A crash is noticed soon, and regions come back without waiting for timers made for large clusters.
    'zookeeper.session.timeout': '4000',
    'hbase.regionserver.msginterval': '500',
    'hbase.procedure.remote.dispatcher.delay.msec': '10',
    'hbase.assignment.dispatch.wait.msec': '10',
    'hbase.master.wait.on.regionservers.mintostart': '1',
    'hbase.master.wait.on.regionservers.interval': '500',
    'hbase.master.wait.on.regionservers.timeout': '3000',
    'hbase.regionserver.executor.openregion.threads': '8',

    'hbase.regionserver.handler.count': '32',
    // Chunks of 2 MB for each column family of each region are too much for a small heap.
    'hbase.hregion.memstore.mslab.enabled': 'false',
  };
}

/** A configuration file of Hadoop's kind. */
export function siteXml(settings: Record<string, string>): string {
  const properties = Object.entries(settings).map(
    ([name, value]) =>
      `  <property><name>${escapeXml(name)}</name><value>${escapeXml(value)}</value></property>`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join('\n')}\n</configuration>\n`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
