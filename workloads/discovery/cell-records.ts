// Adding, changing and forgetting cells.
import type { CellRecord } from '../common/cell-client/directory-messages.ts';
import type { CoordinationSession } from '../common/coordination/coordination.ts';
import { CellInUse } from './errors.ts';
import { CELLS, decodeBuckets, decodeCell, MAP, toBytes } from './map-nodes.ts';
import { retrying } from './retrying.ts';

/** Writes nothing when the record is there as it is. @returns a transaction number at which it is */
export async function putCell(
  session: CoordinationSession,
  record: CellRecord,
): Promise<{ made: boolean; version: number }> {
  const path = `${CELLS}/${record.name}`;
  return retrying(['node-exists', 'no-node', 'bad-version'], async () => {
    const node = await session.get(path);
    if (!node) {
      await session.create(path, toBytes(record));
      return { made: true, version: (await session.get(path))?.stat.mzxid ?? 0 };
    }
    const before = decodeCell(node);
    if (before && JSON.stringify(sorted(before)) === JSON.stringify(sorted(record)))
      return { made: false, version: node.stat.mzxid };
    const stat = await session.set(path, toBytes(record), node.stat.version);
    return { made: false, version: stat.mzxid };
  });
}

/**
 * Forgets a cell. In between it is disabled and the map is touched, so that nobody can give it a bucket meanwhile: who
 * read the map before fails on its version, who reads it later sees the cell disabled.
 * @param withData also when buckets map to it: those belong to nobody then
 * @returns false when there is no such cell
 * @throws CellInUse
 */
export async function forgetCell(
  session: CoordinationSession,
  name: string,
  withData: boolean,
): Promise<boolean> {
  const path = `${CELLS}/${name}`;
  return retrying(['bad-version'], async () => {
    const node = await session.get(path);
    if (!node) return false;
    await checkUnused(session, name, withData);
    const record = decodeCell(node);
    const disabled = await session.set(
      path,
      toBytes({ ...record, name, state: 'Disabled' }),
      node.stat.version,
    );
    try {
      await touchMap(session, name, withData);
    } catch (error) {
      if (error instanceof CellInUse && record) await session.set(path, toBytes(record), disabled.version);
      throw error;
    }
    await session.delete(path, disabled.version);
    return true;
  });
}

async function checkUnused(session: CoordinationSession, name: string, withData: boolean): Promise<void> {
  const map = await session.get(MAP);
  const buckets = (map && decodeBuckets(map).counts().get(name)) ?? 0;
  if (buckets > 0 && !withData) throw new CellInUse(name, buckets);
}

async function touchMap(session: CoordinationSession, name: string, withData: boolean): Promise<void> {
  const node = await session.get(MAP);
  if (!node) return;
  const map = decodeBuckets(node);
  const owned = map.counts().get(name) ?? 0;
  if (owned > 0 && !withData) throw new CellInUse(name, owned);
  const freed = map.bucketsOf(name).map((bucket) => [bucket, undefined] as const);
  await session.set(MAP, toBytes(map.with(freed).encode()), node.stat.version);
}

function sorted(record: CellRecord): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
