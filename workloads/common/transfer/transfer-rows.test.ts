import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadFrame } from './frames.ts';
import { encodeRow, readRows, type TransferRow } from './transfer-rows.ts';

const plain = { noNullPrototype: true };
const row = fc.record(
  {
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    entry: fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
    bodies: fc.array(fc.record({ index: fc.nat(1_000), bytes: fc.uint8Array({ maxLength: 3_000 }) }, plain), {
      maxLength: 4,
    }),
  },
  plain,
);

async function collect(chunks: Uint8Array[]): Promise<TransferRow[]> {
  const found: TransferRow[] = [];
  for await (const { seq, entry, bodies } of readRows(chunks))
    found.push({
      seq,
      entry: Uint8Array.from(entry),
      bodies: bodies.map(({ index, bytes }) => ({ index, bytes: Uint8Array.from(bytes) })),
    });
  return found;
}

test('rows come back from any chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 5 }),
      fc.integer({ min: 1, max: 5_000 }),
      async (rows, size) => {
        const bytes = Buffer.concat(rows.map(encodeRow));
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        assert.deepEqual(await collect(chunks), rows);
      },
    ),
    { numRuns: 60 },
  );
});

test('an end inside of a frame, a length beyond bounds and what is no row are refused', async () => {
  const bytes = encodeRow({ seq: 1, entry: Buffer.from('entry'), bodies: [] });
  await assert.rejects(collect([bytes, bytes.subarray(0, 6)]), BadFrame);
  await assert.rejects(collect([bytes.subarray(0, 3)]), BadFrame);
  await assert.rejects(collect([Buffer.from('ffffffff00', 'hex')]), BadFrame);
  await assert.rejects(collect([Buffer.from('00000001ff', 'hex')]), BadFrame);
  await assert.rejects(collect([Buffer.from('00000000', 'hex')]), BadFrame);
});
