// Reading and writing rows: one function a call, with both directions of it.
import { readCells, type Cell } from './cells.ts';
import { DEFAULT_DEADLINE_MS, type Attempt, type HbaseClient } from './client.ts';
import { HbaseError } from './errors.ts';
import { regionBefore, regionOf, specifier } from './regions.ts';
import {
  cellsOf,
  columnOf,
  conditionOf,
  KEYS_ONLY,
  mutationOf,
  type Condition,
  type Put,
  type Result,
  type Row,
  type Where,
} from './row-messages.ts';
import { decode } from './wire.ts';

/** The default of one response: a bound on memory, not on what can be read. */
const MAX_RESULT_BYTES = 2 * 1024 * 1024;

export type { Condition, Put, Row, Where } from './row-messages.ts';
type Time = { deadlineMs?: number };

/** Get: the cells of a row; none when there is no such row. `keysOnly`: without their values. */
export async function getRow(
  client: HbaseClient,
  table: string,
  row: Uint8Array,
  where: Where,
  { deadlineMs, keysOnly }: Time & { keysOnly?: boolean } = {},
): Promise<Cell[]> {
  return await client.at(
    table,
    row,
    async (connection, region, timeoutMs) => {
      const get = { row, column: [columnOf(where)], ...(keysOnly && { filter: KEYS_ONLY }) };
      const message = { region: specifier(region), get };
      const answer = await connection.call({
        method: 'Get',
        timeoutMs,
        parameter: { type: 'GetRequest', message },
      });
      const { result } = decode<{ result?: Result | null }>('GetResponse', answer.message);
      // Servers send the cells of a Get within the message, those of a scan beside it.
      return [...cellsOf(result), ...readCells(answer.cellBlock)];
    },
    deadlineMs,
  );
}

/** Mutate with a condition on the same row: atomic. @returns whether the condition held and the row was written */
export async function putRow(
  client: HbaseClient,
  table: string,
  put: Put,
  condition?: Condition,
  { deadlineMs }: Time = {},
): Promise<boolean> {
  return await client.at(
    table,
    put.row,
    async (connection, region, timeoutMs) => {
      const message = {
        region: specifier(region),
        mutation: mutationOf(put),
        ...(condition && { condition: conditionOf(condition) }),
      };
      const answer = await connection.call({
        method: 'Mutate',
        timeoutMs,
        parameter: { type: 'MutateRequest', message },
      });
      const { processed } = decode<{ processed?: boolean | null }>('MutateResponse', answer.message);
      return condition === undefined || processed === true;
    },
    deadlineMs,
  );
}

/**
 * MultiRowMutationEndpoint: several rows of one region, all or none; all conditions must hold. The table must have the
 * coprocessor.
 * @returns whether they held and the rows were written
 */
export async function putRows(
  client: HbaseClient,
  table: string,
  puts: Put[],
  conditions: Condition[],
  { deadlineMs }: Time = {},
): Promise<boolean> {
  const [first] = puts;
  if (!first) return true;
  return await client.at(
    table,
    first.row,
    async (connection, region, timeoutMs) => {
      const request = {
        mutation_request: puts.map(mutationOf),
        region: specifier(region),
        condition: conditions.map(conditionOf),
      };
      const answer = await connection.call({
        method: 'ExecService',
        timeoutMs,
        parameter: {
          type: 'CoprocessorServiceRequest',
          message: {
            region: specifier(region),
            // Without the package: with it the server knows no such service.
            call: {
              row: first.row,
              service_name: 'MultiRowMutationService',
              method_name: 'MutateRows',
              request,
            },
          },
        },
      });
      const { value } = decode<{ value: { value: Uint8Array } }>(
        'CoprocessorServiceResponse',
        answer.message,
      );
      return decode<{ processed?: boolean | null }>('MutateRowsResponse', value.value).processed === true;
    },
    deadlineMs,
  );
}

export type ScanOptions = Time & {
  /** Inclusive. A reversed scan starts at its highest row. */
  from: Uint8Array;
  /** Exclusive. */
  to: Uint8Array;
  where: Where;
  limit: number;
  maxBytes?: number;
  reversed?: boolean;
  /** Only cells that were stored at this time or later, by the clocks of the servers. */
  sinceMs?: number | undefined;
};

/**
 * Scan: rows in order, at most `limit`, fewer when they are large: then go on behind the last. Regions of a table that
 * somebody has split or merged meanwhile are one after another all the same. `done`: there are no more.
 */
export async function scanRows(
  client: HbaseClient,
  table: string,
  options: ScanOptions,
): Promise<{ rows: Row[]; done: boolean }> {
  const { from, to, reversed = false, deadlineMs = DEFAULT_DEADLINE_MS } = options;
  const deadline = performance.now() + deadlineMs;
  let place: Place = { row: from, inclusive: true };
  for (;;) {
    const { rows, end } = await client.at(
      table,
      place.row,
      (...server) => scanRegion(options, place, ...server),
      Math.max(0, deadline - performance.now()),
      place.inclusive ? regionOf : regionBefore,
    );
    const done = end !== undefined && (end.length === 0 || isBeyond(end, to, reversed));
    if (rows.length > 0 || done) return { rows, done };
    // The rows of a reversed scan's next region are before this one's first.
    if (end) place = { row: end, inclusive: !reversed };
  }
}

type Place = { row: Uint8Array; inclusive: boolean };

/** No row before `stop` is left on the other side of a region's end. An empty `stop` is never reached. */
function isBeyond(end: Uint8Array, stop: Uint8Array, reversed: boolean): boolean {
  const order = Buffer.compare(end, stop);
  return stop.length > 0 && (reversed ? order <= 0 : order >= 0);
}

/** @returns end: the key where the region ends, in the direction of the scan, when it has no more rows than these */
async function scanRegion(
  { to, where, limit, maxBytes = MAX_RESULT_BYTES, reversed = false, sinceMs }: ScanOptions,
  place: Place,
  ...[connection, region, timeoutMs]: Parameters<Attempt<unknown>>
): Promise<{ rows: Row[]; end: Uint8Array | undefined }> {
  const scan = {
    column: [columnOf(where)],
    start_row: place.row,
    stop_row: to,
    include_start_row: place.inclusive,
    // Said, for else a scan from a row to the same row reads that row.
    include_stop_row: false,
    reversed,
    ...(sinceMs && { time_range: { from: sinceMs } }),
    caching: limit,
    max_result_size: maxBytes,
  };
  const message = {
    region: specifier(region),
    scan,
    number_of_rows: limit,
    limit_of_rows: limit,
    close_scanner: false,
    client_handles_partials: false,
    client_handles_heartbeats: false,
  };
  const parameter = { type: 'ScanRequest', message } as const;
  const answer = await connection.call({ method: 'Scan', timeoutMs, parameter });
  const { cells_per_result, scanner_id, more_results, more_results_in_region } = decode<ScanResponse>(
    'ScanResponse',
    answer.message,
  );
  const rows = rowsOf(readCells(answer.cellBlock), cells_per_result);
  if (scanner_id && more_results !== false && rows.length < limit) {
    // Nobody goes on with it: the next part is asked for by a new scan.
    const close = { scanner_id, number_of_rows: 0, close_scanner: true };
    void connection
      .call({ method: 'Scan', timeoutMs, parameter: { type: 'ScanRequest', message: close } })
      .catch(() => undefined);
  }
  const ended = (more_results === false || more_results_in_region === false) && rows.length < limit;
  return { rows, end: ended ? (reversed ? region.startKey : region.endKey) : undefined };
}

type ScanResponse = {
  cells_per_result: number[];
  scanner_id?: unknown;
  more_results?: boolean | null;
  more_results_in_region?: boolean | null;
};

function rowsOf(cells: Cell[], counts: number[]): Row[] {
  let at = 0;
  return counts.map((count) => {
    const own = cells.slice(at, at + count);
    at += count;
    const [first] = own;
    if (!first || own.length !== count) throw new HbaseError('A scan named more cells than it sent.');
    return { row: first.row, cells: own };
  });
}
