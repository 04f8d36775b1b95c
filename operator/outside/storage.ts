// What the servers of HDFS and HBase say of themselves over /jmx.
import { z } from 'zod';

const ASK_TIMEOUT_MS = 3_000;
const NAME_NODE_HTTP_PORT = 9870;
const MASTER_INFO_PORT = 16_010;

export type NameNodeFacts = {
  active: boolean;
  safeMode: boolean;
  /** Blocks with fewer copies than they should have. */
  short: number;
  /** Blocks with none. */
  missing: number;
};
export type MasterFacts = {
  active: boolean;
  regionsInTransition: number;
  /** `host,port,startCode` of each region server that lives. */
  regionServers: string[];
};

/** What a cell's storage tells the operator; an answer of undefined: the server did not answer. */
export type StorageAdmin = {
  nameNode(host: string): Promise<NameNodeFacts | undefined>;
  master(host: string): Promise<MasterFacts | undefined>;
};

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
  const seen = await attributes(host, NAME_NODE_HTTP_PORT, 'Hadoop:service=NameNode,name=FSNamesystem*');
  if (!seen) return undefined;
  return {
    active: seen['tag.HAState'] === 'active',
    safeMode: seen.FSState !== 'Operational',
    short: Number(seen.UnderReplicatedBlocks ?? 0),
    missing: Number(seen.MissingBlocks ?? 0),
  };
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

export const storageAdmin: StorageAdmin = { nameNode, master };
