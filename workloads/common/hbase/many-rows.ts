// Reading and deleting many rows in few calls (Multi). Each row is for itself: they may lie in any regions, and regions may
// change meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { readCells, type Cell } from './cells.ts';
import { DEFAULT_DEADLINE_MS, type HbaseClient } from './client.ts';
import { HbaseError, ServerException } from './errors.ts';
import { holds, specifier } from './regions.ts';
import { cellsOf, columnOf, deletionOf, KEYS_ONLY, type Result, type Where } from './row-messages.ts';
import { decode } from './wire.ts';

/** Of one call. */
const MAX_ROWS = 256;
type Time = { deadlineMs?: number };

/**
 * The cells of each row, in the order asked for; none where there is no such row. A server ends an answer early when it
 * is large; the rest is asked for again.
 */
export async function getRows(
  client: HbaseClient,
  table: string,
  rows: readonly Uint8Array[],
  where: Where,
  time: Time = {},
): Promise<Cell[][]> {
  const column = [columnOf(where)];
  return await each(client, table, rows, (row) => ({ get: { row, column } }), time);
}

/**
 * Deletes rows, or what `columns` name of them (a family without a qualifier: all of it). Not atomic: after an error some
 * are deleted. What is deleted are the cells that were found, by their timestamps, until none is found: a delete "of all
 * until now" would also hide what is written later by a server whose clock is behind (ADR 73), and what is written while the
 * call is tried again. Rows that are written all the time are never done.
 */
export async function deleteRows(
  client: HbaseClient,
  table: string,
  rows: readonly Uint8Array[],
  columns: readonly Where[] = [],
  time: Time = {},
): Promise<void> {
  const { deadlineMs = DEFAULT_DEADLINE_MS } = time;
  const deadline = performance.now() + deadlineMs;
  const left = (): Time => ({ deadlineMs: Math.max(0, deadline - performance.now()) });
  const get = { ...(columns.length > 0 && { column: columns.map(columnOf) }), filter: KEYS_ONLY };
  let some = false;
  for (let there = [...rows]; ;) {
    const found = await each(client, table, there, (row) => ({ get: { row, ...get } }), left());
    // Where there was an older version below the one that was deleted, it comes to light.
    const cellsOfRow = new Map(there.flatMap((row, at) => (found[at]?.length ? [[row, found[at]]] : [])));
    there = [...cellsOfRow.keys()];
    if (there.length === 0) break;
    some = true;
    const mutation = (row: Uint8Array): object => deletionOf(row, cellsOfRow.get(row) ?? []);
    await each(client, table, there, (row) => ({ mutation: mutation(row) }), left());
  }
  if (some) await sleep(TICK_MS);
}

/** Beyond the millisecond of a cell that was just written and deleted: another of that very millisecond would be hidden. */
const TICK_MS = 5;

type MultiResponse = {
  region_action_result: {
    result_or_exception: { index: number; result?: Result | null; exception?: Exception | null }[];
    exception?: Exception | null;
  }[];
};
type Exception = { name: string; value: Uint8Array };

/** Takes the region of the first row that is left, and with it all others of that region. */
async function each(
  client: HbaseClient,
  table: string,
  rows: readonly Uint8Array[],
  action: (row: Uint8Array) => object,
  { deadlineMs = DEFAULT_DEADLINE_MS }: Time,
): Promise<Cell[][]> {
  const deadline = performance.now() + deadlineMs;
  const found: Cell[][] = rows.map(() => []);
  let left = rows.map((row, index) => ({ row, index }));
  for (let first = left[0]; first; first = left[0]) {
    const done = await client.at(
      table,
      first.row,
      async (connection, region, timeoutMs) => {
        const asked = left.filter(({ row }) => holds(region, row)).slice(0, MAX_ROWS);
        const actions = asked.map(({ row }, index) => ({ index, ...action(row) }));
        const message = { region_action: [{ region: specifier(region), action: actions }] };
        const parameter = { type: 'MultiRequest', message } as const;
        const answer = await connection.call({ method: 'Multi', timeoutMs, parameter });
        const results = readResults(answer);
        for (const [at, cells] of results) {
          const { index } = asked[at] ?? { index: -1 };
          if (index < 0) throw new HbaseError('A server answered what was not asked.');
          found[index] = cells;
        }
        return new Set(asked.filter((_, at) => results.has(at)));
      },
      Math.max(0, deadline - performance.now()),
    );
    left = left.filter((one) => !done.has(one));
  }
  return found;
}

/** The cells by the number of the action. @throws ServerException when none was done */
function readResults({
  message,
  cellBlock,
}: {
  message: Uint8Array;
  cellBlock: Uint8Array;
}): Map<number, Cell[]> {
  const [region] = decode<MultiResponse>('MultiResponse', message).region_action_result;
  const beside = readCells(cellBlock);
  const results = new Map<number, Cell[]>();
  let failure = region?.exception;
  let at = 0;
  for (const { index, result, exception } of region?.result_or_exception ?? []) {
    if (exception) failure ??= exception;
    else {
      const count = result?.associated_cell_count ?? 0;
      results.set(index, [...cellsOf(result), ...beside.slice(at, at + count)]);
      at += count;
    }
  }
  if (results.size > 0) return results;
  if (failure) throw new ServerException(failure.name, Buffer.from(failure.value).toString(), false);
  throw new HbaseError('A server answered nothing of what was asked.');
}
