// Tells discovery of a cell: from then on new users may come to it.
import type { CellRecord, DiscoveryAdmin } from '../outside/discovery.ts';
import type { Owner } from '../resources/owner.ts';
import { hashOf } from '../runtime/apply.ts';
import type { Cell } from '../types.ts';
import { coordinationUrl } from './resources/app-servers.ts';

/** What discovery was told last: under which name, and a hash of the record. */
export type Published = { name: string; record: string };

/** Another cell has the name in discovery. */
class NameTaken extends Error {
  override name = 'NameTaken';
}

/** A cell that is to be deleted takes no new users. */
function recordOf(cell: Cell, owner: Owner): CellRecord {
  const leaving = cell.metadata.deletionTimestamp !== undefined && cell.spec.state === 'Enabled';
  return {
    state: leaving ? 'Draining' : cell.spec.state,
    dataCenter: cell.spec.dataCenter,
    coordination: coordinationUrl(owner, cell.spec),
  };
}

/**
 * Makes discovery's record of the cell so. Users of a cell that wakes are sent there when it serves, not before.
 * @param before what this cell's status says that it has published
 * @param serves an app server of the cell serves
 * @returns undefined while the cell wakes
 * @throws NameTaken when a cell of another namespace has the name; DiscoveryError
 */
export async function publish(
  discovery: DiscoveryAdmin,
  cell: Cell,
  owner: Owner,
  { before, serves }: { before: Published | undefined; serves: boolean },
): Promise<Published | undefined> {
  const record = recordOf(cell, owner);
  const live = await discovery.cell(owner.name);
  if (live && !before && live.coordination !== record.coordination) {
    throw new NameTaken(
      `Discovery has another cell of the name ${owner.name}; delete that one or rename this.`,
    );
  }
  const wakes = live?.state === 'Hibernated' && (record.state === 'Enabled' || record.state === 'Draining');
  if (wakes && !serves) return undefined;
  const same =
    live?.state === record.state &&
    live.dataCenter === record.dataCenter &&
    live.coordination === record.coordination;
  if (!same) await discovery.putCell(owner.name, record);
  return { name: owner.name, record: hashOf(record) };
}
