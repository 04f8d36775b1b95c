// The roles of a cell that are rolled, as data. A new role is one more entry; its place is the order of rolls.
import type { Role } from '../../resources/owner.ts';
import type { ImageKind } from '../images.ts';
import type { CellWork } from '../steps.ts';
import { appServersGate, trialGate } from './answers.ts';
import { discoveryGate, storageTrialGate, zookeeperGate } from './gates.ts';
import type { RollFacts } from './facts.ts';
import type { Shut } from './plan.ts';
import { restDataNode } from './data-nodes.ts';
import { drainAppServer } from './drain.ts';
import { cedeNameNode } from './name-nodes.ts';
import { unloadRegions } from './storage.ts';
import { hbaseGate, hdfsGate } from './storage-gates.ts';

export type RollRole = {
  role: Role;
  image: ImageKind;
  /** In sentences: "ZooKeeper". */
  called: string;
  /** How long a pod of it takes to be ready again, for estimates. */
  seconds: number;
  /** Does this pod lead the others? It goes last. */
  leads: (pod: string, facts: RollFacts) => boolean;
  /** What is done before a pod that serves is deleted. @returns what must happen first, undefined when nothing must */
  before?: (work: CellWork, ordinal: number, facts: RollFacts) => Promise<string | undefined>;
  /** What must hold before any pod of the cell that serves may go. */
  gates: ((facts: RollFacts) => Shut | undefined)[];
};

const never = (): boolean => false;

/** In the order of their start. */
export const ROLL_ROLES: readonly RollRole[] = [
  {
    role: 'zookeeper',
    image: 'hbase',
    called: 'ZooKeeper',
    seconds: 15,
    leads: (pod, facts) => facts.zookeeper?.get(pod)?.state === 'leader',
    // The first of its image, and looked at with all others.
    gates: [zookeeperGate, storageTrialGate],
  },
  // A cell has either this one or the six after it.
  { role: 'hbase', image: 'hbase', called: 'HBase', seconds: 45, leads: never, gates: [] },
  { role: 'journal-node', image: 'hbase', called: 'the JournalNodes', seconds: 15, leads: never, gates: [] },
  {
    role: 'name-node',
    image: 'hbase',
    called: 'the NameNodes',
    seconds: 30,
    leads: (pod, facts) => facts.storage?.nameNodes.get(pod)?.active ?? false,
    before: async (work, ordinal, { storage }) => storage && (await cedeNameNode(work, ordinal, storage)),
    gates: [({ storage }) => storage && hdfsGate(storage)],
  },
  {
    role: 'data-node',
    image: 'hbase',
    called: 'the DataNodes',
    seconds: 30,
    leads: never,
    before: async (work, ordinal, { storage }) => storage && (await restDataNode(work, ordinal, storage)),
    gates: [],
  },
  {
    role: 'hbase-master',
    image: 'hbase',
    called: 'the HBase masters',
    seconds: 30,
    leads: (pod, facts) => facts.storage?.masters.get(pod)?.active ?? false,
    gates: [({ storage }) => storage && hbaseGate(storage)],
  },
  {
    role: 'region-server',
    image: 'hbase',
    called: 'the region servers',
    seconds: 40,
    leads: never,
    before: async (work, ordinal, { storage }) => storage && (await unloadRegions(work, ordinal, storage)),
    gates: [],
  },
  {
    role: 'hbase-rest',
    image: 'hbase',
    called: 'the HBase REST server',
    seconds: 20,
    leads: never,
    gates: [],
  },
  {
    role: 'app-server',
    image: 'cellpost',
    called: 'the app servers',
    seconds: 12,
    leads: never,
    before: drainAppServer,
    gates: [appServersGate, discoveryGate, trialGate],
  },
];
