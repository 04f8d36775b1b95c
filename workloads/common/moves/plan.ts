// Which buckets move so that cells hold even shares, with as few moves as that takes. Pure.
import type { BucketMap } from '../cell-client/buckets.ts';
import type { BucketMove } from './move-bucket.ts';

export type PlanOptions = {
  /** Cells that take buckets: enabled ones. */
  cells: readonly string[];
  /** Only moves to this cell. */
  to?: string | undefined;
  /** At most so many moves. */
  limit?: number | undefined;
};

/** @returns moves in order: while not all of them are made, the shares are more even after each */
export function planMoves(map: BucketMap, { cells, to, limit = Infinity }: PlanOptions): BucketMove[] {
  const buckets = new Map(cells.map((cell) => [cell, map.bucketsOf(cell)]));
  const sizeOf = (cell: string): number => buckets.get(cell)?.length ?? 0;
  const sorted = (): string[] =>
    [...buckets.keys()].sort((a, b) => sizeOf(a) - sizeOf(b) || (a < b ? -1 : 1));
  const moves: BucketMove[] = [];
  while (moves.length < limit) {
    const bySize = sorted();
    const taker = to ?? bySize[0];
    const giver = bySize.at(-1);
    if (taker === undefined || giver === undefined || sizeOf(giver) - sizeOf(taker) < 2) break;
    const bucket = buckets.get(giver)?.pop();
    if (bucket === undefined) break;
    buckets.get(taker)?.unshift(bucket);
    moves.push({ bucket, from: giver, to: taker });
  }
  return moves;
}
