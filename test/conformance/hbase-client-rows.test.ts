// The HBase client's calls about many rows, and deletes, against a real HBase.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { ServerException } from '../../workloads/common/hbase/errors.ts';
import { deleteRows, getRows } from '../../workloads/common/hbase/many-rows.ts';
import { getRow, putRow, scanRows } from '../../workloads/common/hbase/rows.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase, type Hbase } from '../real/hbase.ts';

const TABLE = 'rows';
const START_DEADLINE_MS = 300_000;
const E = { family: 'e', qualifier: Buffer.from('e') };
const BODY = { family: 'b', qualifier: Buffer.from('x') };
const OTHER_BODY = { family: 'b', qualifier: Buffer.from('y') };

let hbase: Hbase;
let client: HbaseClient;

before(
  async () => {
    hbase = await startHbase();
    await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: TABLE, regions: 4 });
    client = new HbaseClient({ bootstrap: [hbase.master] });
  },
  { timeout: START_DEADLINE_MS },
);

after(async () => {
  await client?.close();
  await hbase?.close();
});

const textOf = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();
/** Spread over all regions. */
const rowsNamed = (name: string, count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) =>
    Buffer.concat([Buffer.from([(i * 37) % 256]), Buffer.from(`${name}${i}`)]),
  );
const fill = (rows: Buffer[], columns: (typeof E)[], value = 'v'): Promise<boolean[]> =>
  Promise.all(
    rows.map((row, i) =>
      putRow(client, TABLE, {
        row,
        columns: columns.map((column) => ({ ...column, value: Buffer.from(`${value}${i}`) })),
      }),
    ),
  );

test('many rows of all regions are read in the order asked for, missing ones as nothing', async () => {
  const rows = rowsNamed('many', 700);
  await fill(rows, [E, BODY]);
  const asked = rows.flatMap((row, i) =>
    i % 7 === 0 ? [row, Buffer.concat([row, Buffer.from('?')])] : [row],
  );
  const found = await getRows(client, TABLE, asked, E);
  assert.deepEqual(
    found.map((cells) => cells.map(({ value }) => textOf(value))),
    rows.flatMap((_, i) => (i % 7 === 0 ? [[`v${i}`], []] : [[`v${i}`]])),
  );
  for (const [i, [cell]] of found.entries())
    if (cell) assert.equal(Buffer.compare(cell.row, asked[i] ?? Buffer.alloc(0)), 0);
  assert.deepEqual(await getRows(client, TABLE, [], E), []);
});

test('large rows come in several answers, each once', async () => {
  const rows = rowsNamed('large', 40);
  await Promise.all(
    rows.map((row, i) =>
      putRow(client, TABLE, { row, columns: [{ ...E, value: Buffer.alloc(4 * 1024 * 1024, i) }] }),
    ),
  );
  const found = await getRows(client, TABLE, rows, E);
  for (const [i, [cell]] of found.entries()) {
    assert.equal(cell?.value.length, 4 * 1024 * 1024);
    assert.equal(cell.value[1_000], i);
  }
});

test('a row is deleted as a whole, by family or by column; the rest stays', async () => {
  const [whole, family, column] = rowsNamed('parts', 3);
  assert.ok(whole && family && column);
  await fill([whole, family, column], [E, BODY, OTHER_BODY]);
  await deleteRows(client, TABLE, [whole]);
  await deleteRows(client, TABLE, [family], [{ family: 'b' }]);
  await deleteRows(client, TABLE, [column], [BODY]);
  const left = async (row: Buffer): Promise<string[]> => {
    const cells = [
      ...(await getRow(client, TABLE, row, { family: 'e' })),
      ...(await getRow(client, TABLE, row, { family: 'b' })),
    ];
    return cells.map(({ family: of, qualifier }) => `${of}:${textOf(qualifier)}`);
  };
  assert.deepEqual(await left(whole), []);
  assert.deepEqual(await left(family), ['e:e']);
  assert.deepEqual(await left(column), ['e:e', 'b:y']);
  await deleteRows(client, TABLE, [whole]);
});

test('many rows are deleted, neighbours stay, and deleted rows can be written anew on condition', async () => {
  const rows = rowsNamed('gone', 600);
  await fill(rows, [E, BODY]);
  const gone = rows.filter((_, i) => i % 3 !== 0);
  await deleteRows(client, TABLE, gone);
  const found = await getRows(client, TABLE, rows, E);
  assert.deepEqual(
    found.map((cells) => cells.length),
    rows.map((_, i) => (i % 3 === 0 ? 1 : 0)),
  );
  const again = await Promise.all(
    rows.map((row) =>
      putRow(
        client,
        TABLE,
        { row, columns: [{ ...E, value: Buffer.from('again') }] },
        { row, ...E, exists: false },
      ),
    ),
  );
  assert.deepEqual(
    again,
    rows.map((_, i) => i % 3 !== 0),
  );
  assert.deepEqual(
    (await getRows(client, TABLE, rows, E)).map(([cell]) => textOf(cell?.value)),
    rows.map((_, i) => (i % 3 === 0 ? `v${i}` : 'again')),
  );
  await deleteRows(client, TABLE, rows, [{ family: 'e' }]);
  assert.deepEqual(
    (await getRows(client, TABLE, rows, { family: 'b' })).map((cells) => cells.length),
    rows.map((_, i) => (i % 3 === 0 ? 1 : 0)),
  );
});

test('what is written right after a delete is there', async () => {
  const [row] = rowsNamed('quick', 1);
  assert.ok(row);
  for (let i = 0; i < 300; i++) {
    const value = Buffer.from(`value ${i}`);
    assert.equal(
      await putRow(client, TABLE, { row, columns: [{ ...E, value }] }, { row, ...E, exists: false }),
      true,
    );
    assert.equal(textOf((await getRow(client, TABLE, row, E))[0]?.value), `value ${i}`);
    await deleteRows(client, TABLE, [row]);
  }
  const { rows } = await scanRows(client, TABLE, {
    from: row,
    to: Buffer.concat([row, row]),
    where: E,
    limit: 10,
  });
  assert.deepEqual(rows, []);
});

test('an unknown family is a mistake that no patience mends', async () => {
  const began = performance.now();
  await assert.rejects(
    getRows(client, TABLE, rowsNamed('many', 1), { family: 'nope' }),
    (error) => error instanceof ServerException && error.cure === 'fail' && !error.mayHaveRun,
  );
  assert.ok(performance.now() - began < 5_000);
});
