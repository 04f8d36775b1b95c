// Pages of snapshots in HBase's table, and the deletion of what belongs to a key. Pages lie together: a few calls for many.
import type { HbaseClient } from '../../common/hbase/client.ts';
import { deleteRows, getRows } from '../../common/hbase/many-rows.ts';
import { putRow, putRows, scanRows, type Put } from '../../common/hbase/rows.ts';
import { inParallel } from '../../common/parallel.ts';
import { endRow, keyRow, PAGE } from './hbase-store-rows.ts';

/** Pages of one write: as many as make a good group (see hbase-store-groups.ts). */
const MAX_PUTS = 64;
const PARALLEL_PUTS = 16;
/** Rows that are looked up and deleted in one go. */
const MAX_DELETED = 256;
const DEADLINE_MS = 20_000;

export class PageRows {
  readonly #client: HbaseClient;
  readonly #table: string;

  constructor(client: HbaseClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async put(puts: readonly Put[]): Promise<void> {
    for (let start = 0; start < puts.length; start += MAX_PUTS) {
      const group = puts.slice(start, start + MAX_PUTS);
      try {
        await putRows(this.#client, this.#table, group, [], { deadlineMs: DEADLINE_MS });
      } catch {
        // Together they must be of one region; alone each finds its own.
        await inParallel(group, PARALLEL_PUTS, (put) =>
          putRow(this.#client, this.#table, put, undefined, { deadlineMs: DEADLINE_MS }),
        );
      }
    }
  }

  async get(rows: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const found = await getRows(this.#client, this.#table, rows, PAGE, { deadlineMs: DEADLINE_MS });
    return found.map(([cell]) => cell && new Uint8Array(cell.value));
  }

  async delete(rows: readonly Uint8Array[]): Promise<void> {
    await deleteRows(this.#client, this.#table, rows, [], { deadlineMs: DEADLINE_MS });
  }

  /** Deletes the rows of a key that have something in one of the families. */
  async deleteAll(key: string, families: readonly string[]): Promise<void> {
    for (const family of families) {
      for (let from: Uint8Array | undefined = keyRow(key); from;) {
        const { rows } = await scanRows(this.#client, this.#table, {
          from,
          to: endRow(key),
          where: { family },
          limit: MAX_DELETED,
          deadlineMs: DEADLINE_MS,
        });
        await this.delete(rows.map(({ row }) => row));
        const last = rows.at(-1);
        from = last && Buffer.concat([last.row, Buffer.of(0)]);
      }
    }
  }
}
