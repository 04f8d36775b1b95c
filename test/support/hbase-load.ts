// Load on a table of HBase whose every acknowledgement is remembered: single writes and groups, each on the condition that
// the row is new, and readers who look up what was acknowledged, while a test does to the servers what it likes.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppendGroups } from '../../workloads/app-server/log/hbase-store-groups.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { HbaseUnavailable, mayHaveRun } from '../../workloads/common/hbase/errors.ts';
import { getRow, putRow, scanRows, type Condition, type Put } from '../../workloads/common/hbase/rows.ts';
import { until } from './wait.ts';

const SINGLE_WRITERS = 8;
const GROUP_WRITERS = 4;
const GROUP_ROWS = 16;
const READERS = 4;
/** Longer than any crash here takes to be mended: nobody should see an error. */
const PATIENCE_MS = 90_000;
const WAIT_MS = 120_000;
/** Between two calls of one of them: all rows are read at the end, and a recovery may take minutes. */
const PACE_MS = 20;
const SCAN = { limit: 500, maxBytes: 64 * 1024 };
export const COLUMN = { family: 'e', qualifier: Buffer.from('e') };

export const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('latin1');

export function newRow(row: Buffer, value: string): { put: Put; condition: Condition } {
  return {
    put: { row, columns: [{ ...COLUMN, value: Buffer.from(value) }] },
    condition: { row, ...COLUMN, exists: false },
  };
}

/** All rows of a table and their values, by scans of small parts. */
export async function readAll(
  client: HbaseClient,
  table: string,
  reversed: boolean,
): Promise<[string, string][]> {
  const found: [string, string][] = [];
  let from: Uint8Array = reversed ? Buffer.alloc(64, 0xff) : new Uint8Array();
  for (;;) {
    const to = new Uint8Array();
    const { rows, done } = await scanRows(client, table, { from, to, where: COLUMN, ...SCAN, reversed });
    for (const { row, cells } of rows) found.push([textOf(row) ?? '', textOf(cells[0]?.value) ?? '']);
    const last = rows.at(-1)?.row;
    if (done) return found;
    assert.ok(last, 'a scan that is not done has rows');
    from = reversed ? justBefore(last) : Buffer.concat([last, Buffer.from([0])]);
  }
}

/** A row between this one and all before it that are as short. */
function justBefore(row: Uint8Array): Buffer {
  const before = Buffer.from(row);
  before[before.length - 1] = (before.at(-1) ?? 0) - 1;
  return Buffer.concat([before, Buffer.alloc(8, 0xff)]);
}

export class HbaseLoad {
  readonly #table: string;
  readonly #writer: HbaseClient;
  readonly #reader: HbaseClient;
  readonly #groups: AppendGroups;
  readonly #run = process.hrtime.bigint().toString(36);
  readonly #patienceMs: number;
  /** Row -> value, of all that were ever tried, and of those that are certain. */
  readonly #tried = new Map<string, string>();
  readonly #acknowledged: string[] = [];
  readonly #progress: number[];
  readonly #work: Promise<unknown>;
  #stopped = false;
  #failure: unknown;
  /** Calls that gave up at their deadline. */
  unavailable = 0;
  /** The longest that a write took. */
  longestMs = 0;

  constructor(options: { bootstrap: readonly string[]; table: string; patienceMs?: number }) {
    this.#table = options.table;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#writer = new HbaseClient({ bootstrap: options.bootstrap });
    this.#reader = new HbaseClient({ bootstrap: options.bootstrap });
    this.#groups = new AppendGroups(this.#writer, options.table);
    const workers = [
      ...Array.from({ length: SINGLE_WRITERS }, () => this.#writeSingle),
      ...Array.from({ length: GROUP_WRITERS }, () => this.#writeGroup),
      ...Array.from({ length: READERS }, () => this.#read),
    ];
    this.#progress = workers.map(() => 0);
    this.#work = Promise.all(
      workers.map(async (step, i) => {
        for (let n = 0; !this.#stopped; n++) {
          await step.call(this, `${this.#run}-${i}-${n}`).catch((error: unknown) => {
            this.#failure ??= error;
            this.#stopped = true;
          });
          this.#progress[i] = n + 1;
          await sleep(PACE_MS);
        }
      }),
    );
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** Waits until each writer and reader has begun and ended so many more calls. */
  async passes(calls: number): Promise<void> {
    const before = [...this.#progress];
    await until(
      () => this.#stopped || this.#progress.every((now, i) => now >= (before[i] ?? 0) + calls + 1),
      { timeoutMs: WAIT_MS, what: `${calls} more calls of each writer and reader` },
    );
    this.#fail();
  }

  /** Ends the load; then each acknowledged row is there once, in both directions, and no row that nobody wrote. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#work;
    try {
      this.#fail();
      const all = await readAll(this.#reader, this.#table, false);
      assert.deepEqual((await readAll(this.#reader, this.#table, true)).toReversed(), all);
      const own = new Map(all.filter(([row]) => row.includes(this.#run)));
      assert.equal(own.size, all.filter(([row]) => row.includes(this.#run)).length, 'a row came twice');
      for (const row of this.#acknowledged) assert.equal(own.get(row), this.#tried.get(row));
      for (const [row, value] of own) assert.equal(value, this.#tried.get(row));
      return this.#acknowledged.length;
    } finally {
      await Promise.all([this.#writer.close(), this.#reader.close()]);
    }
  }

  #fail(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Over the whole table. */
  #row(name: string): Buffer {
    return Buffer.concat([Buffer.from([Math.floor(Math.random() * 256)]), Buffer.from(name)]);
  }

  async #writeSingle(name: string): Promise<void> {
    const { put, condition } = newRow(this.#row(name), `value of ${name}`);
    const write = (): Promise<boolean> =>
      putRow(this.#writer, this.#table, put, condition, { deadlineMs: this.#patienceMs });
    await this.#write(put, write);
  }

  async #writeGroup(name: string): Promise<void> {
    const rows = Array.from({ length: GROUP_ROWS }, (_, i) =>
      newRow(this.#row(`${name}.${i}`), `${name}.${i}`),
    );
    await Promise.all(
      rows.map(({ put, condition }) =>
        this.#write(put, () => this.#groups.put(put, condition, this.#patienceMs)),
      ),
    );
  }

  async #write(put: Put, write: () => Promise<boolean>): Promise<void> {
    const row = textOf(put.row) ?? '';
    const value = textOf(put.columns[0]?.value) ?? '';
    this.#tried.set(row, value);
    const began = performance.now();
    const written = await write().catch((error: unknown) => this.#excuse(error, began));
    this.longestMs = Math.max(this.longestMs, performance.now() - began);
    if (written === undefined) return;
    // "It was there already" may be what an attempt of ours left whose answer was lost.
    if (!written) assert.equal(await this.#look(row), value);
    this.#acknowledged.push(row);
  }

  async #read(): Promise<void> {
    const row = this.#acknowledged[Math.floor(Math.random() * this.#acknowledged.length)];
    if (row === undefined) return await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await this.#look(row), this.#tried.get(row));
    const from = Buffer.from(row, 'latin1');
    const to = justBefore(from);
    const { rows } = await scanRows(this.#reader, this.#table, {
      from,
      to,
      where: COLUMN,
      limit: 5,
      reversed: true,
      deadlineMs: PATIENCE_MS,
    });
    assert.deepEqual(
      rows.map((found) => textOf(found.row)),
      [row],
    );
  }

  async #look(row: string): Promise<string | undefined> {
    const key = Buffer.from(row, 'latin1');
    const [cell] = await getRow(this.#reader, this.#table, key, COLUMN, { deadlineMs: PATIENCE_MS });
    return textOf(cell?.value);
  }

  /** The one error that a write may have: no answer by the deadline, and not before. */
  #excuse(error: unknown, began: number): undefined {
    assert.ok(error instanceof HbaseUnavailable, String(error));
    assert.equal(typeof mayHaveRun(error), 'boolean');
    assert.ok(performance.now() - began >= this.#patienceMs - 5, `gave up early: ${error.message}`);
    this.unavailable++;
  }
}
