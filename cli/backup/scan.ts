// Which logs there are and how far each goes, in the order of their keys: the platform's cells side by side with what the
// backup before has.
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { Unassigned } from '../../workloads/common/cell-client/errors.ts';
import { listKeys, readHeads } from '../log/keys.ts';
import { readHead, type Head } from '../log/log-client.ts';
import { compareKeys, type IndexRecord } from './index-record.ts';

export type Found = {
  key: string;
  /** The newest entry. */
  head: Head;
  /** What the backup before has of it. */
  previous: IndexRecord | undefined;
};

/** What of Cells is needed here. */
export type ScannedCells = Pick<Cells, 'request' | 'requestCell'> & {
  where(key: string): Promise<{ cell: string }>;
};

/** Something of a key, by its source. */
type Listed = { key: string; cell: string; head: Head };
type Source = { iterator: AsyncIterator<Listed | IndexRecord>; next: Listed | IndexRecord | undefined };

/**
 * Every log that belongs to one of the cells. A user may move while this runs, and be listed twice or not at all: what
 * counts is the cell that the map names, and whoever was in the backup before and is not listed is asked for by name.
 * @throws what the cells throw: a backup without a cell's users is none
 */
export async function* scanLogs(
  cells: ScannedCells,
  names: readonly string[],
  previous: AsyncIterable<IndexRecord>,
): AsyncGenerator<Found> {
  const sources: Source[] = [];
  const iterables: AsyncIterable<Listed | IndexRecord>[] = names.map((name) => listCell(cells, name));
  for (const iterable of [...iterables, previous]) {
    const iterator = iterable[Symbol.asyncIterator]();
    sources.push({ iterator, next: await take(iterator) });
  }
  for (;;) {
    let key: string | undefined;
    for (const { next } of sources)
      if (next && (key === undefined || compareKeys(next.key, key) < 0)) key = next.key;
    if (key === undefined) return;
    const listed: Listed[] = [];
    let before: IndexRecord | undefined;
    for (const source of sources) {
      if (source.next?.key !== key) continue;
      if ('cell' in source.next) listed.push(source.next);
      else before = source.next;
      source.next = await take(source.iterator);
    }
    const head = await headOf(cells, names, key, listed);
    if (head) yield { key, head, previous: before };
  }
}

/** @returns undefined when the key has no log, or one in a cell that is not asked about */
async function headOf(
  cells: ScannedCells,
  names: readonly string[],
  key: string,
  listed: readonly Listed[],
): Promise<Head | undefined> {
  try {
    const { cell } = await cells.where(key);
    if (!names.includes(cell)) return undefined;
    return listed.find((one) => one.cell === cell)?.head ?? (await readHead(cells, key));
  } catch (error) {
    if (error instanceof Unassigned) return undefined;
    throw error;
  }
}

async function* listCell(cells: ScannedCells, cell: string): AsyncGenerator<Listed> {
  for await (const keys of listKeys(cells, cell)) {
    const heads = await readHeads(cells, cell, keys);
    for (const key of keys) {
      const head = heads[key];
      if (head) yield { key, cell, head };
    }
  }
}

async function take<T>(iterator: AsyncIterator<T>): Promise<T | undefined> {
  const result = await iterator.next();
  return result.done ? undefined : result.value;
}
