// HDFS and HBase on it during a roll: what their servers say.
import { podHost } from '../../resources/owner.ts';
import type { CellWork } from '../steps.ts';
import type { RollGroup } from './plan.ts';
import type { StorageFacts } from './storage-gates.ts';

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
