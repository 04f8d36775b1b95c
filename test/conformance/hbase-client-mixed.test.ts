// Ten thousand operations of all kinds, drawn from a seed, on regions that move; what this client reads, and what an
// independent one (npm `hbase`, over HBase REST) reads, is compared with a model cell by cell.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import connect, { type StoredCell } from 'hbase';
import type { Cell } from '../../workloads/common/hbase/cells.ts';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { deleteRows, getRows } from '../../workloads/common/hbase/many-rows.ts';
import { getRow, putRow, putRows, scanRows } from '../../workloads/common/hbase/rows.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { HbaseAdmin } from '../support/hbase-admin.ts';
import { textOf } from '../support/hbase-load.ts';

const OPERATIONS = 10_000;
const SEED = 20_261_123;
/** How often the whole table is compared, and a region moved. */
const CHECK_EVERY = 2_500;
const MOVE_EVERY = 1_000;
const TABLE = 'mixed';
const SPLITS = ['g', 'n', 't'];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const ROWS_A_LETTER = 12;
const TEST_TIMEOUT_MS = 400_000;

type Column = { family: string; qualifier: Buffer };
const COLUMNS: Column[] = ['e:e', 'b:one', 'b:two', 's:s'].map((name) => {
  const [family = '', qualifier = ''] = name.split(':');
  return { family, qualifier: Buffer.from(qualifier) };
});
const E = { family: 'e', qualifier: Buffer.from('e') };
const nameOf = ({ family, qualifier }: { family: string; qualifier: Uint8Array }): string =>
  `${family}:${textOf(qualifier)}`;

/** Row -> column -> value: what there should be. */
class Model {
  readonly rows = new Map<string, Map<string, string>>();
  put(row: string, columns: Column[], value: string): void {
    const cells = this.rows.get(row) ?? new Map<string, string>();
    for (const column of columns) cells.set(nameOf(column), value);
    this.rows.set(row, cells);
  }
  delete(row: string, columns: { family: string; qualifier?: Buffer }[]): void {
    const cells = this.rows.get(row);
    for (const name of cells?.keys() ?? []) {
      const hit = ({ family, qualifier }: (typeof columns)[number]): boolean =>
        qualifier ? name === nameOf({ family, qualifier }) : name.startsWith(`${family}:`);
      if (columns.length === 0 || columns.some(hit)) cells?.delete(name);
    }
    if (cells?.size === 0) this.rows.delete(row);
  }
  has(row: string, column: Column): boolean {
    return this.rows.get(row)?.has(nameOf(column)) === true;
  }
  /** Of one family, in the order of a table. */
  cells(row: string, family: string): [string, string][] {
    return [...(this.rows.get(row) ?? [])].filter(([name]) => name.startsWith(`${family}:`)).sort(byName);
  }
}
const byName = ([a]: [string, ...unknown[]], [b]: [string, ...unknown[]]): number => (a < b ? -1 : 1);
const readable = (cells: Cell[]): [string, string][] =>
  cells.map((cell) => [nameOf(cell), textOf(cell.value) ?? '']);

let hbase: Hbase;
let client: HbaseClient;
let admin: HbaseAdmin;

before(
  async () => {
    hbase = await startHbase();
    await hbase.addRegionServer();
    admin = new HbaseAdmin([hbase.master]);
    await admin.createTable(
      TABLE,
      SPLITS.map((key) => Buffer.from(key)),
    );
    client = new HbaseClient({ bootstrap: [hbase.master] });
  },
  { timeout: TEST_TIMEOUT_MS },
);

after(async () => {
  await client?.close();
  await admin?.close();
  await hbase?.close();
});

/** Numbers below `sides`, the same for the same seed (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  };
}

const model = new Model();
const roll = dice(SEED);
const pick = <T>(from: readonly T[]): T => from[roll(from.length)] as T;
const someRow = (letters: string = LETTERS): string =>
  `${pick([...letters])}${String(roll(ROWS_A_LETTER)).padStart(2, '0')}`;
const someColumns = (): Column[] => COLUMNS.filter(() => roll(2) === 0);
const putOf = (row: string, columns: Column[], value: string) => ({
  row: Buffer.from(row),
  columns: columns.map((column) => ({ ...column, value: Buffer.from(value) })),
});

const operations: Record<string, (value: string) => Promise<void>> = {
  async put(value) {
    const row = someRow();
    const columns = [pick(COLUMNS), ...someColumns()];
    assert.equal(await putRow(client, TABLE, putOf(row, columns, value)), true);
    model.put(row, columns, value);
  },
  async 'put on condition'(value) {
    const row = someRow();
    const columns = [pick(COLUMNS), ...someColumns()];
    const column = pick(COLUMNS);
    const exists = roll(2) === 0;
    const holds = model.has(row, column) === exists;
    const condition = { row: Buffer.from(row), ...column, exists };
    assert.equal(await putRow(client, TABLE, putOf(row, columns, value), condition), holds);
    if (holds) model.put(row, columns, value);
  },
  async 'put several on conditions'(value) {
    const letters = pick(['abcdef', 'ghijklm', 'nopqrs', 'tuvwxyz']);
    const rows = [...new Set(Array.from({ length: 1 + roll(5) }, () => someRow(letters)))];
    const conditions = rows.filter(() => roll(2) === 0).map((row) => ({ row, exists: roll(4) === 0 }));
    const holds = conditions.every(({ row, exists }) => model.has(row, E) === exists);
    const done = await putRows(
      client,
      TABLE,
      rows.map((row) => putOf(row, [E], value)),
      conditions.map(({ row, exists }) => ({
        row: Buffer.from(row),
        family: E.family,
        qualifier: E.qualifier,
        exists,
      })),
    );
    assert.equal(done, holds);
    if (holds) for (const row of rows) model.put(row, [E], value);
  },
  async delete() {
    const rows = [...new Set(Array.from({ length: 1 + roll(3) }, () => someRow()))];
    const columns = pick([[], [pick(COLUMNS)], [{ family: pick(COLUMNS).family }]]);
    await deleteRows(
      client,
      TABLE,
      rows.map((row) => Buffer.from(row)),
      columns,
    );
    for (const row of rows) model.delete(row, columns);
  },
  async get() {
    const row = someRow();
    const { family } = pick(COLUMNS);
    assert.deepEqual(
      readable(await getRow(client, TABLE, Buffer.from(row), { family })),
      model.cells(row, family),
    );
  },
  async 'get many'() {
    const rows = Array.from({ length: 1 + roll(40) }, () => someRow());
    const { family } = pick(COLUMNS);
    const asked = rows.map((row) => Buffer.from(row));
    assert.deepEqual(
      (await getRows(client, TABLE, asked, { family })).map(readable),
      rows.map((row) => model.cells(row, family)),
    );
  },
  async scan() {
    await scan(false);
  },
  async 'scan backwards'() {
    await scan(true);
  },
};

async function scan(reversed: boolean): Promise<void> {
  const [low = '', high = ''] = [someRow(), someRow()].sort();
  const { family } = pick(COLUMNS);
  const limit = 1 + roll(60);
  // Sometimes in small parts. (Drawn once: how many there are, servers decide.)
  const maxBytes = pick([100, 2_000_000]);
  const found: [string, [string, string][]][] = [];
  for (let from = Buffer.from(reversed ? high : low); ;) {
    const { rows, done } = await scanRows(client, TABLE, {
      from,
      to: Buffer.from(reversed ? low : high),
      where: { family },
      limit: limit - found.length,
      maxBytes,
      reversed,
    });
    for (const { row, cells } of rows) found.push([textOf(row) ?? '', readable(cells)]);
    const last = rows.at(-1);
    if (done || !last || found.length >= limit) break;
    // All rows are three bytes long.
    from = reversed ? Buffer.from(before3(last.row)) : Buffer.concat([last.row, Buffer.from([0])]);
  }
  const rows = [...model.rows.keys()].sort().filter((row) => model.cells(row, family).length > 0);
  const range = reversed
    ? rows.filter((row) => row > low && row <= high).toReversed()
    : rows.filter((row) => row >= low && row < high);
  assert.deepEqual(
    found,
    range.slice(0, limit).map((row) => [row, model.cells(row, family)]),
  );
}

function before3(row: Uint8Array): number[] {
  const [a = 0, b = 0, c = 0] = row;
  return [a, b, c - 1, 0xff, 0xff];
}

/** As an independent client reads it. */
function readByRest(): Promise<StoredCell[]> {
  const { hostname, port } = new URL(hbase.restUrl);
  const rest = connect({ protocol: 'http', host: hostname, port: Number(port), timeout: 60_000 });
  return new Promise((resolve, reject) => {
    const options = { startRow: 'a', endRow: '{' };
    rest.table(TABLE).scan(options, (error, data) => (error ? reject(error) : resolve(data)));
  });
}

async function compare(): Promise<number> {
  const cells = await readByRest();
  const expected = [...model.rows]
    .flatMap(([row, columns]) =>
      [...columns].map(([column, value]): [string, string, string] => [row, column, value]),
    )
    .sort((a, b) => (a[0] === b[0] ? (a[1] < b[1] ? -1 : 1) : byName(a, b)));
  assert.deepEqual(cells.map(({ key, column, $ }) => [key, column, $]).sort(), expected.toSorted());
  return expected.length;
}

test(
  '10,000 mixed operations do what a model says, and HBase REST reads the same cells',
  { timeout: TEST_TIMEOUT_MS },
  async (t) => {
    const names = Object.keys(operations);
    const done = new Map<string, number>();
    let moving: Promise<void> | undefined;
    let moved = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      const name = pick(names);
      await operations[name]?.(`value ${i}`);
      done.set(name, (done.get(name) ?? 0) + 1);
      if (i % MOVE_EVERY === 0) {
        await moving;
        const region = (await admin.regions(TABLE))[moved++ % (SPLITS.length + 1)];
        // The next operations meet it on its way.
        if (region) moving = admin.move(TABLE, region);
        // Its failure is thrown where it is waited for.
        moving?.catch(() => undefined);
      }
      if (i % CHECK_EVERY === CHECK_EVERY - 1) t.diagnostic(`${i + 1}: ${await compare()} cells alike`);
    }
    await moving;
    t.diagnostic(`seed ${SEED}, ${moved} moves: ${[...done].map(([name, n]) => `${n} ${name}`).join(', ')}`);
  },
);
