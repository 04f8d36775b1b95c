// The recipe of a cell: ZooKeeper, HBase, the schema, app servers, discovery.
import { ensembleGate, type EnsembleMark } from '../ensemble.ts';
import type { StorageRole } from '../resources/owner.ts';
import { hashOf } from '../runtime/apply.ts';
import { DONE, waitFor, type Step } from '../runtime/steps.ts';
import type { Cell, CellSpec, CellStatus, FormatMark, Platform, Resting, RollStatus } from '../types.ts';
import { ensureAll, type World } from '../world.ts';
import type { CellContext } from './context.ts';
import { imageRecordsOf, type ImageRecords } from './images.ts';
import type { CellObservation } from './observation.ts';
import { growEnsemble } from './hardware/ensemble.ts';
import { shrinkRoles } from './hardware/shrink.ts';
import type { Seen } from './hardware/sizes.ts';
import { growVolumes } from './hardware/volumes.ts';
import type { Shut } from './roll/plan.ts';
import { rollMembers } from './roll/roll.ts';
import { publish, type Published } from './publish.ts';
import { appServerResources, credentialsSecret } from './resources/app-servers.ts';
import { cellEnsembleResources } from './resources/ensemble.ts';
import { LOG_TABLE, schemaServers } from './resources/storage.ts';
import { lastStorageRole, storageSteps } from './storage-steps.ts';

export type CellStepName =
  'zookeeper' | StorageRole | 'schema' | 'app-servers' | 'discovery' | 'hardware' | 'roll';

/** What the steps leave behind, for the status. */
export type Marks = EnsembleMark &
  FormatMark & {
    schema?: string;
    discovery?: Published;
    /** Members of the ensemble, once it is formed. */
    members?: number;
    leaving?: string[] | undefined;
    resting?: Resting | undefined;
    roll?: RollStatus | undefined;
    images: ImageRecords;
    /** The gate that holds the roll up just now; not remembered. */
    shut?: Shut | undefined;
  };

export type CellWork = {
  world: World;
  /** Its spec has the sizes that are there: where less is asked for, what is there goes step by step. */
  cell: Cell;
  /** What the cell's spec says. */
  asked: CellSpec;
  sizes: Seen;
  platform: Platform;
  context: CellContext;
  /** The platform's Secret, decoded. */
  credentials: Record<string, string>;
  observed: CellObservation;
  marks: Marks;
  now: Date;
};

/** What the cell's status remembers from earlier. */
export function marksOf(status: CellStatus | undefined): Marks {
  return {
    ...(status?.zookeeper?.formedAt && { formedAt: status.zookeeper.formedAt }),
    ...(status?.zookeeper?.members && { members: status.zookeeper.members }),
    ...(status?.leaving && { leaving: status.leaving }),
    ...(status?.resting && { resting: status.resting }),
    ...(status?.hbase?.schema && { schema: status.hbase.schema }),
    ...(status?.hdfs?.clusterId && { clusterId: status.hdfs.clusterId }),
    ...(status?.hdfs?.formattedAt && { formattedAt: status.hdfs.formattedAt }),
    ...(status?.discovery && { discovery: status.discovery }),
    ...(status?.roll && { roll: status.roll }),
    images: imageRecordsOf(status),
  };
}

export function cellSteps(work: CellWork): Step<CellStepName>[] {
  return [
    { name: 'zookeeper', title: 'Start ZooKeeper', needs: [], run: () => startZooKeeper(work) },
    ...storageSteps(work),
    {
      name: 'schema',
      title: 'Make the log table',
      needs: [lastStorageRole(work)],
      run: () => makeSchema(work),
    },
    { name: 'app-servers', title: 'Start app servers', needs: ['schema'], run: () => startAppServers(work) },
    {
      name: 'discovery',
      title: 'Publish the cell in discovery',
      // Once published, changes of its state are told whatever state its servers are in.
      needs: work.marks.discovery ? [] : ['app-servers'],
      run: () => publishCell(work),
    },
    { name: 'hardware', title: 'Change servers and volumes', needs: [], run: () => changeHardware(work) },
    // Needs nothing: pods that are not ready are mended by it, too.
    { name: 'roll', title: 'Roll the pods', needs: [], run: () => rollMembers(work) },
  ];
}

async function startZooKeeper({ world, context, cell, observed, marks, now }: CellWork) {
  await ensureAll(world, cellEnsembleResources(context, cell.spec));
  const { replicas } = cell.spec.zookeeper;
  const gate = ensembleGate(marks, observed.zookeeper.ready, replicas, now);
  if (marks.formedAt) marks.members ??= replicas;
  return gate;
}

/** More of something is made with its role; the rest of a change, one after another, is here. */
async function changeHardware(work: CellWork) {
  for (const change of [growVolumes, growEnsemble, shrinkRoles]) {
    const result = await change(work);
    if (!result.done) return result;
  }
  return DONE;
}

async function makeSchema({ world, context, cell, marks }: CellWork) {
  const schema = hashOf([SCHEMA_VERSION, LOG_TABLE, cell.spec.hbase.regions]);
  if (marks.schema === schema) return DONE;
  await world.outside.ensureSchema({
    ...schemaServers(context.owner, cell.spec),
    table: LOG_TABLE,
    regions: cell.spec.hbase.regions,
  });
  marks.schema = schema;
  return DONE;
}

/** Grows when ensureSchema makes something new of an old table. */
const SCHEMA_VERSION = 1;

async function startAppServers({ world, context, cell, credentials, observed }: CellWork) {
  await ensureAll(world, [
    credentialsSecret(context.owner, credentials),
    ...appServerResources(context, cell.spec, credentials),
  ]);
  const { ready } = observed.appServers;
  const wanted = cell.spec.appServers.replicas;
  if (ready > 0 || wanted === 0) return DONE;
  return waitFor(`One of ${wanted} app servers must serve its tokens; none does.`);
}

export async function publishCell(work: CellWork) {
  const { world, cell, context, credentials, marks, observed } = work;
  const discovery = world.outside.discovery(discoveryUrl(work), credentials.platformToken ?? '');
  const published = await publish(discovery, cell, context.owner, {
    before: marks.discovery,
    serves: observed.appServers.ready > 0,
  });
  if (!published) return waitFor('An app server must serve before users are sent to the cell that wakes.');
  marks.discovery = published;
  return DONE;
}

function discoveryUrl({ platform }: CellWork): string {
  const url = platform.status?.discoveryUrl;
  if (!url) throw new Error(`Platform ${platform.metadata.name} has no discovery yet.`);
  return url;
}
