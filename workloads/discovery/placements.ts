// Changing where keys are: exceptions of single keys, and buckets as a whole.
import type { CoordinationSession, Znode } from '../common/coordination/coordination.ts';
import { hashKey } from '../common/hash.ts';
import { Misplaced } from './errors.ts';
import {
  CELLS,
  decodeBuckets,
  decodeException,
  EXCEPTIONS,
  MAP,
  toBytes,
  type ExceptionRecord,
} from './map-nodes.ts';
import { retrying } from './retrying.ts';

export type BucketChange = { bucket: number; from: string; to: string };

/** All exceptions as they are stored now, by key. */
export async function readExceptions(session: CoordinationSession): Promise<Map<string, ExceptionRecord>> {
  const listed = await session.children(EXCEPTIONS);
  const found = new Map<string, ExceptionRecord>();
  await Promise.all(
    (listed?.names ?? []).map(async (name) => {
      const node = await session.get(`${EXCEPTIONS}/${name}`);
      const record = node && decodeException(node);
      if (record) found.set(decodeURIComponent(name), record);
    }),
  );
  return found;
}

/**
 * @param from where the key must be, if it is not where the exception says already; undefined: anywhere
 * @returns a transaction number at which the exception is there
 * @throws Misplaced when there is no such cell, or the key is in another
 */
export async function putException(
  session: CoordinationSession,
  key: string,
  record: ExceptionRecord,
  from?: string,
): Promise<number> {
  const path = pathOf(key);
  if (!(await session.get(`${CELLS}/${record.cell}`)))
    throw new Misplaced(`There is no cell ${record.cell}.`);
  return retrying(['node-exists', 'no-node', 'bad-version'], async () => {
    const node = await session.get(path);
    await assertPlace(session, key, node, from, record.cell);
    if (!node) {
      await session.create(path, toBytes(record));
      return (await session.get(path))?.stat.mzxid ?? 0;
    }
    const before = decodeException(node);
    if (before?.cell === record.cell && before.moving === record.moving && before.to === record.to)
      return node.stat.mzxid;
    return (await session.set(path, toBytes(record), node.stat.version)).mzxid;
  });
}

/**
 * Does nothing when there is none.
 * @param from where the key must be
 * @returns a transaction number at which it is gone
 * @throws Misplaced when the key is in another cell
 */
export async function deleteException(
  session: CoordinationSession,
  key: string,
  from?: string,
): Promise<number> {
  await retrying(['no-node', 'bad-version'], async () => {
    const node = await session.get(pathOf(key));
    if (!node) return;
    await assertPlace(session, key, node, from, undefined);
    await session.delete(pathOf(key), node.stat.version);
  });
  return (await session.children(EXCEPTIONS))?.stat.pzxid ?? 0;
}

/**
 * Notes that the log of a key is about to be ended in a cell, and goes on in another; what was said of the key stays.
 * @returns a transaction number at which that is noted
 * @throws Misplaced when the key is in another cell, or there is no such cell
 */
export async function noteMove(
  session: CoordinationSession,
  key: string,
  { from, to }: { from: string; to: string },
): Promise<number> {
  const node = await session.get(pathOf(key));
  const moving = (node && decodeException(node))?.moving;
  return await putException(session, key, { cell: from, ...(moving && { moving }), to }, from);
}

/**
 * Takes back what noteMove noted, of a move that ends nothing. The key stays where it is, or follows its bucket: that may
 * be given away at this very moment.
 * @returns a transaction number at which nothing of it is noted
 */
export async function forgetMove(session: CoordinationSession, key: string): Promise<number> {
  return retrying(['no-node', 'bad-version'], async () => {
    const node = await session.get(pathOf(key));
    const before = node && decodeException(node);
    if (!node || before?.to === undefined) return node?.stat.mzxid ?? 0;
    const map = await session.get(MAP);
    const follows = before.moving || (map && decodeBuckets(map).cellOf(hashKey(key).bucket)) === before.cell;
    const record = { cell: before.cell, ...(follows && { moving: true }) };
    return (await session.set(pathOf(key), toBytes(record), node.stat.version)).mzxid;
  });
}

/** @throws Misplaced */
async function assertPlace(
  session: CoordinationSession,
  key: string,
  exception: Znode | undefined,
  from: string | undefined,
  to: string | undefined,
): Promise<void> {
  if (from === undefined) return;
  const map = await session.get(MAP);
  const ofBucket = map && decodeBuckets(map).cellOf(hashKey(key).bucket);
  const cell = (exception && decodeException(exception)?.cell) ?? ofBucket;
  if (cell !== from && cell !== to) throw new Misplaced(`${key} is in ${cell ?? 'no cell'}, not in ${from}.`);
}

/**
 * Gives buckets to other cells, all or none.
 * @returns a transaction number at which they have them
 * @throws Misplaced when one belongs to neither of the two cells named for it, or a cell is not there
 */
export async function changeBuckets(
  session: CoordinationSession,
  changes: readonly BucketChange[],
): Promise<number> {
  return retrying(['bad-version'], async () => {
    const node = await session.get(MAP);
    if (!node) throw new Misplaced('There is no map yet.');
    const map = decodeBuckets(node);
    for (const { bucket, from, to } of changes) {
      const cell = map.cellOf(bucket);
      if (cell !== from && cell !== to)
        throw new Misplaced(`Bucket ${bucket} belongs to ${cell ?? 'no cell'}, not to ${from}.`);
    }
    // Read after the map: a cell that is being forgotten is disabled before the map is touched.
    for (const cell of new Set(changes.map(({ to }) => to)))
      if (!(await session.get(`${CELLS}/${cell}`))) throw new Misplaced(`There is no cell ${cell}.`);
    const moved = changes.map(({ bucket, to }) => [bucket, to] as const);
    const stat = await session.set(MAP, toBytes(map.with(moved).encode()), node.stat.version);
    return stat.mzxid;
  });
}

function pathOf(key: string): string {
  return `${EXCEPTIONS}/${encodeURIComponent(key)}`;
}
