// The end of a cell: asked for first, then everything in reverse order of its start, volumes included.
import { DiscoveryError, type DiscoveryAdmin } from '../outside/discovery.ts';
import { HBASE_ROLES, HDFS_ROLES, type Owner, type Role } from '../resources/owner.ts';
import { tearDown } from '../tear-down.ts';
import { messageOf, type World } from '../world.ts';
import type { Cell } from '../types.ts';
import type { Deletion } from './status.ts';

export const CELL_FINALIZER = 'cellpost.dev/cell';
/** With the value "true" on a Cell its deletion takes its users' data along. */
const DELETE_WITH_DATA = 'cellpost.dev/delete-with-data';

const withData = (cell: Cell): boolean => cell.metadata.annotations?.[DELETE_WITH_DATA] === 'true';

/** The map that knows who lives where: it can be asked, is out of reach, or is gone with its platform. */
export type MapAccess = DiscoveryAdmin | 'away' | 'gone';

/**
 * May the cell go? While users' buckets map to it, only when its annotation says so. Discovery is asked each time; a
 * cell that was never published has no users.
 * @returns why not, or undefined
 */
export async function deletionRefused(cell: Cell, map: MapAccess): Promise<Deletion | undefined> {
  if (map === 'away' || map === 'gone') {
    if (!cell.status?.discovery) return undefined;
    if (map === 'gone' && withData(cell)) return undefined;
    return map === 'gone'
      ? {
          reason: 'PlatformMissing',
          message: `Its platform is gone, so nobody can say whether it holds users. ${HOW_TO_FORCE}`,
        }
      : { reason: 'DiscoveryAway', message: 'Discovery must be there to be asked whether it holds users.' };
  }
  try {
    const record = await map.cell(cell.metadata.name);
    if (!record || record.buckets === 0 || withData(cell)) return undefined;
    return {
      reason: 'HoldsUsers',
      message: `Discovery maps ${record.buckets} buckets of users to it. ${HOW_TO_FORCE}`,
    };
  } catch (error) {
    if (!(error instanceof DiscoveryError)) throw error;
    return { reason: 'DiscoveryAway', message: messageOf(error) };
  }
}

const HOW_TO_FORCE = `Move them away, or annotate the cell with ${DELETE_WITH_DATA}=true to delete their data, too.`;

const REVERSE_ORDER: Role[] = [
  'app-server',
  'hbase',
  ...HBASE_ROLES.toReversed(),
  ...HDFS_ROLES.toReversed(),
  'zookeeper',
];

/** Takes the cell off the map and its pods and volumes off the cluster. @returns what it waits for, or undefined */
export async function deleteCell(
  world: World,
  cell: Cell,
  owner: Owner,
  map: MapAccess,
): Promise<string | undefined> {
  if (cell.status?.discovery && typeof map === 'object') {
    await map.deleteCell(cell.metadata.name, withData(cell));
  }
  return await tearDown(world, owner, REVERSE_ORDER);
}
