// What must hold of HDFS and of HBase on it before a pod that serves may go.
import type { MasterFacts, NameNodeFacts } from '../../outside/storage.ts';
import type { Shut } from './plan.ts';

/** By pod; a server that did not answer is absent. */
export type StorageFacts = {
  nameNodes: Map<string, NameNodeFacts>;
  masters: Map<string, MasterFacts>;
  wantedRegionServers: number;
};

const shut = (reason: string, message: string, paused = false): Shut => ({ reason, message, paused });

/** Every block has all its copies: losing the ones of one more DataNode loses no block. */
export function hdfsGate({ nameNodes }: StorageFacts): Shut | undefined {
  const active = [...nameNodes.values()].find((one) => one.active);
  if (!active) return shut('NoActiveNameNode', 'One NameNode must be active; none says so.');
  if (active.safeMode) return shut('SafeMode', 'HDFS must have left safe mode.');
  if (active.missing > 0) return shut('MissingBlocks', 'No block of HDFS may be missing; some are.', true);
  if (active.short > 0) return shut('ShortOfCopies', 'All blocks of HDFS must have all their copies.');
  return undefined;
}

/** Every region is somewhere, and no server is about to lose the ones that it has. */
export function hbaseGate({ masters, wantedRegionServers }: StorageFacts): Shut | undefined {
  const active = [...masters.values()].find((one) => one.active);
  if (!active) return shut('NoActiveMaster', 'One HBase master must be active; none says so.');
  if (active.regionServers.length < wantedRegionServers)
    return shut('RegionServersMissing', `The master must know ${wantedRegionServers} region servers.`);
  if (active.regionsInTransition > 0)
    return shut('RegionsInTransition', 'No region of HBase may be on its way; some are.');
  return undefined;
}
