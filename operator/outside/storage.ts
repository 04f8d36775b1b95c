// What the servers of HDFS and HBase say of themselves over /jmx, and what is asked of the master before one goes.
import { z } from 'zod';
import { Connections } from '../../workloads/common/hbase/connections.ts';
import { activeMaster } from '../../workloads/common/hbase/regions.ts';
import { decode } from '../../workloads/common/hbase/wire.ts';
import { failOver, refreshNodes } from './name-node.ts';

const ASK_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 10_000;
const NAME_NODE_HTTP_PORT = 9870;
const MASTER_INFO_PORT = 16_010;
const REGION_SERVER_INFO_PORT = 16_030;

export type NameNodeFacts = {
  active: boolean;
  safeMode: boolean;
  /** Blocks with fewer copies than they should have. */
  short: number;
  /** Blocks with none. */
  missing: number;
  /** DataNodes that it was told to let go, dead ones as well. */
  leaving: number;
  /** DataNodes in maintenance, or about to be, dead ones as well. */
  resting: number;
};
export type MasterFacts = {
  active: boolean;
  regionsInTransition: number;
  /** `host,port,startCode` of each region server that lives. */
  regionServers: string[];
};

export type DataNodeFacts = {
  /** As the NameNode calls it: 'In Service', 'Decommissioned', 'In Maintenance', or on the way to one of the two. */
  state: string;
  usedBytes: number;
  freeBytes: number;
};

/** What a cell's storage tells the operator; an answer of undefined: the server did not answer. */
export type StorageAdmin = {
  nameNode(host: string): Promise<NameNodeFacts | undefined>;
  /** The DataNodes that live, by pod, as a NameNode knows them. */
  dataNodes(nameNode: string): Promise<Map<string, DataNodeFacts> | undefined>;
  /** Has a NameNode read anew which DataNodes leave or rest. @throws when it does not answer or refuses */
  refreshNodes(nameNode: string): Promise<void>;
  /** Has the active NameNode cede to this standby. @throws when its failover controller does not answer or refuses */
  failOver(nameNode: string): Promise<void>;
  master(host: string): Promise<MasterFacts | undefined>;
  /** How many regions a region server has. */
  regionCount(host: string): Promise<number | undefined>;
  /**
   * Has the regions of a server moved to others, and none come to it; returns before they have.
   * @param masters `host:port`
   * @param server `host,port,startCode`
   */
  unload(masters: readonly string[], server: string): Promise<void>;
  /**
   * Has region servers go on in new log files: DataNodes that rest get no part of them.
   * @param servers `host,port,startCode`
   */
  rollLogs(servers: readonly string[]): Promise<void>;
  /** Lets regions come to all servers again, those that are gone included. */
  reload(masters: readonly string[]): Promise<void>;
};

const LEAVING = ['NumDecomLiveDataNodes', 'NumDecomDeadDataNodes', 'NumDecommissioningDataNodes'];
const RESTING = [
  'NumInMaintenanceLiveDataNodes',
  'NumInMaintenanceDeadDataNodes',
  'NumEnteringMaintenanceDataNodes',
];
const LIVE_NODES = z.record(
  z.string(),
  z.object({ adminState: z.string(), usedSpace: z.number(), remaining: z.number() }),
);
const BEANS = z.object({ beans: z.array(z.record(z.string(), z.unknown())) });

/** The attributes of all beans that a query finds, together. */
async function attributes(
  host: string,
  port: number,
  query: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(`http://${host}:${port}/jmx?qry=${encodeURIComponent(query)}`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    if (!response.ok) return undefined;
    return Object.assign({}, ...BEANS.parse(await response.json()).beans) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

async function nameNode(host: string): Promise<NameNodeFacts | undefined> {
  const bean = (name: string) =>
    attributes(host, NAME_NODE_HTTP_PORT, `Hadoop:service=NameNode,name=${name}`);
  const [metrics, state] = await Promise.all(['FSNamesystem', 'FSNamesystemState'].map(bean));
  if (!metrics || !state) return undefined;
  // Metrics are up to 10 s old; what both beans have is newer in the state.
  const seen = { ...metrics, ...state };
  return {
    active: seen['tag.HAState'] === 'active',
    safeMode: seen.FSState !== 'Operational',
    short: Number(seen.UnderReplicatedBlocks ?? 0),
    missing: Number(seen.MissingBlocks ?? 0),
    leaving: sumOf(seen, LEAVING),
    resting: sumOf(seen, RESTING),
  };
}

const sumOf = (seen: Record<string, unknown>, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + Number(seen[name] ?? 0), 0);

async function dataNodes(nameNode: string): Promise<Map<string, DataNodeFacts> | undefined> {
  const query = 'Hadoop:service=NameNode,name=NameNodeInfo';
  const text = (await attributes(nameNode, NAME_NODE_HTTP_PORT, query))?.LiveNodes;
  if (typeof text !== 'string') return undefined;
  return new Map(
    Object.entries(LIVE_NODES.parse(JSON.parse(text))).map(([name, { adminState, usedSpace, remaining }]) => [
      name.split('.', 1)[0] ?? '',
      { state: adminState, usedBytes: usedSpace, freeBytes: remaining },
    ]),
  );
}

async function master(host: string): Promise<MasterFacts | undefined> {
  const bean = (sub: string): string => `Hadoop:service=HBase,name=Master,sub=${sub}`;
  const [server, assignment] = await Promise.all(
    ['Server', 'AssignmentManager'].map((sub) => attributes(host, MASTER_INFO_PORT, bean(sub))),
  );
  if (!server) return undefined;
  return {
    active: server['tag.isActiveMaster'] === 'true',
    regionsInTransition: Number(assignment?.ritCount ?? 0),
    regionServers: String(server['tag.liveRegionServers'] ?? '')
      .split(';')
      .filter((name) => name !== ''),
  };
}

async function regionCount(host: string): Promise<number | undefined> {
  const query = 'Hadoop:service=HBase,name=RegionServer,sub=Server';
  const count = (await attributes(host, REGION_SERVER_INFO_PORT, query))?.regionCount;
  return typeof count === 'number' ? count : undefined;
}

async function withMaster<T>(
  masters: readonly string[],
  work: (call: (method: string, parameter: Parameter) => Promise<Uint8Array>) => Promise<T>,
): Promise<T> {
  const connections = new Connections('cellpost-operator');
  try {
    const connection = await connections.get(await activeMaster(connections, masters), 'MasterService');
    return await work(async (method, parameter) => {
      const { message } = await connection.call({ method, timeoutMs: CALL_TIMEOUT_MS, parameter });
      return message;
    });
  } finally {
    await connections.close();
  }
}
type Parameter = {
  type:
    | 'DecommissionRegionServersRequest'
    | 'ListDecommissionedRegionServersRequest'
    | 'RecommissionRegionServerRequest';
  message: object;
};

async function unload(masters: readonly string[], server: string): Promise<void> {
  const [host_name, port, start_code] = server.split(',');
  await withMaster(masters, (call) =>
    call('DecommissionRegionServers', {
      type: 'DecommissionRegionServersRequest',
      message: {
        server_name: [{ host_name, port: Number(port), start_code: Number(start_code) }],
        offload: true,
      },
    }),
  );
}

async function rollLogs(servers: readonly string[]): Promise<void> {
  const connections = new Connections('cellpost-operator');
  try {
    await Promise.all(
      servers.map(async (server) => {
        const [host, port] = server.split(',');
        const connection = await connections.get(`${host}:${port}`, 'AdminService');
        const parameter = { type: 'RollWALWriterRequest', message: {} } as const;
        await connection.call({ method: 'RollWALWriter', timeoutMs: CALL_TIMEOUT_MS, parameter });
      }),
    );
  } finally {
    await connections.close();
  }
}

async function reload(masters: readonly string[]): Promise<void> {
  await withMaster(masters, async (call) => {
    const type = 'ListDecommissionedRegionServersRequest';
    const answer = await call('ListDecommissionedRegionServers', { type, message: {} });
    const { server_name } = decode<{ server_name: object[] }>(
      'ListDecommissionedRegionServersResponse',
      answer,
    );
    for (const server of server_name)
      await call('RecommissionRegionServer', {
        type: 'RecommissionRegionServerRequest',
        message: { server_name: server },
      });
  });
}

export const storageAdmin: StorageAdmin = {
  nameNode,
  dataNodes,
  refreshNodes,
  failOver,
  master,
  regionCount,
  unload,
  rollLogs,
  reload,
};
