// HDFS and HBase on it during a roll: what their servers say, and regions that move away before their server goes.
import { setTimeout as sleep } from 'node:timers/promises';
import { podHost } from '../../resources/owner.ts';
import { schemaServers } from '../resources/storage.ts';
import type { CellWork } from '../steps.ts';
import type { RollGroup } from './plan.ts';
import type { StorageFacts } from './storage-gates.ts';

/** Regions of a server move within a second or two; after this long another reconcile looks again. */
const UNLOAD_WAIT_MS = 8_000;
const POLL_MS = 200;

const isOnHdfs = ({ cell }: CellWork): boolean => cell.spec.hbase.storage === 'HDFS';

/** @returns undefined for a cell with storage Local, whose one pod has nobody to hand anything to */
export async function askStorage(
  work: CellWork,
  groups: readonly RollGroup[],
): Promise<StorageFacts | undefined> {
  if (!isOnHdfs(work)) return undefined;
  const { world, context, cell } = work;
  const ask = async <T>(
    role: 'name-node' | 'hbase-master',
    question: (host: string) => Promise<T | undefined>,
  ): Promise<Map<string, T>> => {
    const members = groups.find((group) => group.role.role === role)?.members ?? [];
    const answers = await Promise.all(
      members.map(async ({ name, ordinal }) => ({
        name,
        answer: await question(podHost(context.owner, role, ordinal)),
      })),
    );
    return new Map(
      answers.flatMap(({ name, answer }): [string, T][] => (answer === undefined ? [] : [[name, answer]])),
    );
  };
  const { storage } = world.outside;
  const [nameNodes, masters] = await Promise.all([
    ask('name-node', storage.nameNode),
    ask('hbase-master', storage.master),
  ]);
  return { nameNodes, masters, wantedRegionServers: cell.spec.hbase.regionServers };
}

/**
 * Moves the regions of a server to the others: a region that moves stalls its users for less than one whose server died.
 * @returns what must happen before the pod may go, undefined when nothing must
 */
export async function unloadRegions(
  { world, context, cell }: CellWork,
  ordinal: number,
  facts: StorageFacts,
): Promise<string | undefined> {
  if (cell.spec.hbase.regionServers === 1) return undefined;
  const host = podHost(context.owner, 'region-server', ordinal);
  const active = [...facts.masters.values()].find((one) => one.active);
  const server = active?.regionServers.find((name) => name.startsWith(`${host},`));
  if (!server) return undefined;
  const { storage } = world.outside;
  await storage.unload(mastersOf(context, cell), server);
  const deadline = performance.now() + UNLOAD_WAIT_MS;
  while (performance.now() < deadline) {
    if ((await storage.regionCount(host)) === 0) return undefined;
    await sleep(POLL_MS);
  }
  return `The regions of ${host.split('.', 1)[0]} must have moved to other servers.`;
}

/** Afterwards no server is kept from having regions, whatever became of the roll. */
export async function reloadRegions(work: CellWork): Promise<void> {
  if (isOnHdfs(work)) await work.world.outside.storage.reload(mastersOf(work.context, work.cell));
}

const mastersOf = (context: CellWork['context'], cell: CellWork['cell']): string[] =>
  schemaServers(context.owner, cell.spec).master.split(',');
