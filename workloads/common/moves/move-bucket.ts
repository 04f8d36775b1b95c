// Moves a bucket: all keys of its share of the hash space, those that come to be meanwhile too.
import { z } from 'zod';
import type { Cells } from '../cell-client/cells.ts';
import { UnexpectedAnswer } from '../cell-client/errors.ts';
import { hashKey } from '../hash.ts';
import { inParallel } from '../parallel.ts';
import { isServedIn } from './copy-log.ts';
import { moveLog, type Moved } from './move-key.ts';

/** Keys moved at once, of one bucket. */
const PARALLEL_KEYS = 4;
const PARALLEL_EXCEPTIONS = 16;
const KEYS_PAGE = 1_000;

const keysAnswer = z.object({ keys: z.array(z.string()) });

export type BucketMove = { bucket: number; from: string; to: string };

/** Buckets that were given to another cell and whose keys are not all there yet: a move broke off, or goes on elsewhere. */
export async function pendingMoves(cells: Cells): Promise<BucketMove[]> {
  const [map, exceptions] = [await cells.discovery.map(), await cells.discovery.exceptions()];
  const pending = new Map<string, BucketMove>();
  for (const { key, cell, moving } of exceptions) {
    const { bucket } = hashKey(key);
    const to = map.cellOf(bucket);
    // The same cell: broken off before the bucket was given away; the key is where it was, and the map says so.
    if (moving && to !== undefined && to !== cell)
      pending.set(`${bucket} ${cell}`, { bucket, from: cell, to });
  }
  return [...pending.values()];
}

/**
 * First the map says of each key that is there that it stays where it is; then it gives the bucket to the new cell, so that
 * new keys begin there; then the keys follow one by one, and what was said of them goes. Broken off and made again, it goes
 * on.
 * @throws MoveConflict; Unavailable, UnexpectedAnswer
 */
export async function moveBucket(
  cells: Cells,
  { bucket, from, to }: BucketMove,
  onMoved: (moved: Moved) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { discovery } = cells;
  await hold(cells, bucket, from);
  await discovery.changeBuckets([{ bucket, from, to }]);
  // Begun in between by somebody whose map was a moment old.
  await hold(cells, bucket, from);
  const moving = (await discovery.exceptions()).filter(
    (one) => one.moving && one.cell === from && hashKey(one.key).bucket === bucket,
  );
  await inParallel(moving, PARALLEL_KEYS, async ({ key }) => {
    signal?.throwIfAborted();
    const settle = (): Promise<void> => discovery.deleteException(key, from);
    const moved = await moveLog(cells, { key, from, to }, settle);
    if (moved) onMoved(moved);
    else await settle();
  });
}

/** Notes on the map that the keys of the bucket which are in the cell are there, whosever the bucket is. */
async function hold(cells: Cells, bucket: number, from: string): Promise<void> {
  const known = new Map((await cells.discovery.exceptions()).map(({ key, cell }) => [key, cell]));
  for await (const keys of keysOf(cells, bucket, from)) {
    // One with an exception is elsewhere or held already; what is left of a log that was moved away stays behind.
    const free = keys.filter((key) => !known.has(key));
    await inParallel(free, PARALLEL_EXCEPTIONS, async (key) => {
      if (await isServedIn(cells, key, from)) await cells.discovery.putException(key, from, true);
    });
  }
}

async function* keysOf(cells: Cells, bucket: number, cell: string): AsyncGenerator<string[]> {
  for (let after: string | undefined; ;) {
    const query = new URLSearchParams({
      bucket: `${bucket}`,
      limit: `${KEYS_PAGE}`,
      ...(after && { after }),
    });
    const path = `/keys?${query}`;
    const response = await cells.requestCell(cell, { method: 'GET', path, idempotent: true });
    if (response.status !== 200) throw new UnexpectedAnswer(`GET ${path}`, response.status, '');
    const { keys } = keysAnswer.parse(await response.json());
    yield keys;
    after = keys.at(-1);
    if (keys.length < KEYS_PAGE) return;
  }
}
