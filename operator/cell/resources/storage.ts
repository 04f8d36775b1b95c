// What a cell's log lies in: HBase in one pod (Local), or HBase on HDFS with a role for each kind of server.
import type { Owner, StorageRole } from '../../resources/owner.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec, HdfsSpec, StorageRecord } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { hbaseResources, localBootstrap, localRestUrl } from './hbase.ts';
import {
  bootstrapAddresses,
  masterAddresses,
  masterResources,
  regionServerResources,
  restResources,
  restUrlOf,
} from './hbase-on-hdfs.ts';
import { dataNodeResources, journalNodeResources, nameNodeResources } from './hdfs.ts';
import { isPair } from './hdfs-site.ts';

/** The log table. */
export const LOG_TABLE = 'cellpost';

/** @throws when there is none: the schema of cells asks for it with storage HDFS */
export function hdfsOf(spec: CellSpec): HdfsSpec {
  if (!spec.hbase.hdfs) throw new Error('Storage HDFS needs hbase.hdfs.');
  return spec.hbase.hdfs;
}

type StorageMember = { role: StorageRole; called: string; wanted: number };

/** The roles of a cell's storage in the order of their start, and how many pods each should have. */
export function storageRoles(spec: CellSpec): StorageMember[] {
  const { hbase } = spec;
  if (hbase.storage === 'Local') return [{ role: 'hbase', called: 'HBase', wanted: 1 }];
  const hdfs = hdfsOf(spec);
  const journals: StorageMember = {
    role: 'journal-node',
    called: 'JournalNodes',
    wanted: hdfs.journalNodes.replicas,
  };
  return [
    ...(isPair(hdfs) ? [journals] : []),
    { role: 'name-node', called: 'NameNodes', wanted: hdfs.nameNodes.replicas },
    { role: 'data-node', called: 'DataNodes', wanted: hdfs.dataNodes.replicas },
    { role: 'hbase-master', called: 'HBase masters', wanted: hbase.masters },
    { role: 'region-server', called: 'region servers', wanted: hbase.regionServers },
    { role: 'hbase-rest', called: 'HBase REST servers', wanted: 1 },
  ];
}

/** @param record of HDFS, from the cell's status */
export function storageResources(
  context: CellContext,
  spec: CellSpec,
  role: StorageRole,
  record: StorageRecord,
): KubeObject[] {
  if (role === 'hbase') return hbaseResources(context, spec);
  const hdfs = hdfsOf(spec);
  switch (role) {
    case 'journal-node':
      return journalNodeResources(context, spec, hdfs);
    case 'name-node':
      return nameNodeResources(context, spec, hdfs, record);
    case 'data-node':
      return dataNodeResources(context, spec, hdfs);
    case 'hbase-master':
      return masterResources(context, spec, hdfs);
    case 'region-server':
      return regionServerResources(context, spec, hdfs);
    case 'hbase-rest':
      return restResources(context, spec, hdfs);
  }
}

/** `hbase://master,regionServer/table` for app servers. */
export function logStoreUrl(owner: Owner, spec: CellSpec): string {
  const bootstrap = spec.hbase.storage === 'Local' ? localBootstrap(owner) : bootstrapAddresses(owner, spec);
  return `hbase://${bootstrap.join(',')}/${LOG_TABLE}`;
}

/** Where the schema is made and checked. */
export function schemaServers(owner: Owner, spec: CellSpec): { restUrl: string; master: string } {
  return spec.hbase.storage === 'Local'
    ? { restUrl: localRestUrl(owner), master: localBootstrap(owner)[0] ?? '' }
    : { restUrl: restUrlOf(owner), master: masterAddresses(owner, spec).join(',') };
}
