import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { BadDump } from './dump-format.ts';
import { checkDump, readDump } from './dump-reader.ts';
import { DumpWriter } from './dump-writer.ts';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellpost-dump-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

const HEADER = { userId: 'u1', addresses: ['a@b.test', 'c@d.test'], madeAtMs: 1_790_000_000_000 };

const rowOf = (seq: number, size: number): TransferRow => ({
  seq,
  entry: Buffer.alloc(20, seq),
  bodies: [
    { index: 0, bytes: Buffer.alloc(size, seq + 1) },
    { index: 3, bytes: Buffer.alloc(0) },
  ],
});

async function write(name: string, rows: TransferRow[]): Promise<string> {
  const path = join(folder, name);
  const writer = await DumpWriter.create(path, HEADER);
  const places = [];
  for (const row of rows) places.push(await writer.row(row));
  for (const [index, place] of places.entries())
    assert.equal((await writer.read(place)).seq, rows[index]?.seq, 'what was written can be read at once');
  await writer.finish();
  await writer.close();
  return path;
}

test('a dump comes back as it was written, also one that is larger than what is held', async () => {
  const rows = Array.from({ length: 40 }, (_, index) => rowOf(index + 1, 30_000));
  const path = await write('large', rows);
  assert.deepEqual(await checkDump(path), { header: { ...HEADER, format: 1 }, rows: 40 });
  let next = 0;
  for await (const { seq, entry, bodies } of readDump(path)) {
    const row = rows[next++];
    assert.ok(row);
    assert.equal(seq, row.seq);
    assert.ok(Buffer.from(entry).equals(row.entry));
    assert.deepEqual(
      bodies.map(({ index, bytes }) => [index, bytes.byteLength]),
      [
        [0, 30_000],
        [3, 0],
      ],
    );
  }
  assert.equal(next, 40);
  await assert.rejects(DumpWriter.create(path, HEADER), /EEXIST/);
});

test('a dump that was cut anywhere, or changed in any byte, or goes on after its end, is refused', async () => {
  const good = await readFile(await write('small', [rowOf(1, 10), rowOf(2, 0)]));
  const path = join(folder, 'bad');
  const check = async (bytes: Uint8Array): Promise<void> => {
    await writeFile(path, bytes);
    await assert.rejects(checkDump(path), BadDump);
  };
  for (let length = 0; length < good.length; length++) await check(good.subarray(0, length));
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    await check(bad);
  }
  await check(Buffer.concat([good, good.subarray(8)]));
  await writeFile(path, good);
  assert.equal((await checkDump(path)).rows, 2);
});
