// Reading and writing rows: one function a call, with both directions of it.
import { readCells, type Cell } from './cells.ts';
import type { HbaseClient } from './client.ts';
import { HbaseError } from './errors.ts';
import { specifier } from './regions.ts';
import {
  cellsOf,
  columnOf,
  conditionOf,
  mutationOf,
  type Condition,
  type Put,
  type Result,
  type Row,
  type Where,
} from './row-messages.ts';
import { decode, encode } from './wire.ts';

/** The default of one response: a bound on memory, not on what can be read. */
const MAX_RESULT_BYTES = 2 * 1024 * 1024;

export type { Condition, Put, Row, Where } from './row-messages.ts';
type Time = { deadlineMs?: number };

/** Get: the cells of a row; none when there is no such row. */
export async function getRow(
  client: HbaseClient,
  table: string,
  row: Uint8Array,
  where: Where,
  { deadlineMs }: Time = {},
): Promise<Cell[]> {
  return await client.at(
    table,
    row,
    async (connection, region, timeoutMs) => {
      const message = { region: specifier(region), get: { row, column: [columnOf(where)] } };
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
      const request = encode('MutateRowsRequest', {
        mutation_request: puts.map(mutationOf),
        region: specifier(region),
        condition: conditions.map(conditionOf),
      });
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
};

/**
 * Scan within one region (the one of `from`), one response: rows in order, at most `limit`, fewer when they are large or
 * when the region ends before. `done`: there are no more in the region. No scanner outlives the call.
 */
export async function scanRows(
  client: HbaseClient,
  table: string,
  options: ScanOptions,
): Promise<{ rows: Row[]; done: boolean }> {
  const { from, to, where, limit, maxBytes = MAX_RESULT_BYTES, reversed = false, deadlineMs } = options;
  return await client.at(
    table,
    from,
    async (connection, region, timeoutMs) => {
      const message = {
        region: specifier(region),
        scan: {
          column: [columnOf(where)],
          start_row: from,
          stop_row: to,
          include_start_row: true,
          reversed,
          caching: limit,
          max_result_size: maxBytes,
        },
        number_of_rows: limit,
        limit_of_rows: limit,
        close_scanner: false,
        client_handles_partials: false,
        client_handles_heartbeats: false,
      };
      const answer = await connection.call({
        method: 'Scan',
        timeoutMs,
        parameter: { type: 'ScanRequest', message },
      });
      const { cells_per_result, scanner_id, more_results, more_results_in_region } = decode<{
        cells_per_result: number[];
        scanner_id?: unknown;
        more_results?: boolean | null;
        more_results_in_region?: boolean | null;
      }>('ScanResponse', answer.message);
      const rows = rowsOf(readCells(answer.cellBlock), cells_per_result);
      const done = more_results === false || more_results_in_region === false;
      if (scanner_id && more_results !== false && rows.length < limit) {
        // Nobody goes on with it: the next part is asked for by a new scan.
        const close = { scanner_id, number_of_rows: 0, close_scanner: true };
        void connection
          .call({ method: 'Scan', timeoutMs, parameter: { type: 'ScanRequest', message: close } })
          .catch(() => undefined);
      }
      return { rows, done: done && rows.length < limit };
    },
    deadlineMs,
  );
}

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
