// How fast one process appends to a real HBase: `node bin/dev.js test/bench/hbase-raw.ts`. Each cell is one run of a second
// on whatever else the machine does: read ratios, not digits.
import { randomBytes } from 'node:crypto';
import { HbaseClient } from '../../workloads/common/hbase/client.ts';
import { putRow, putRows, type Condition, type Put } from '../../workloads/common/hbase/rows.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase } from '../real/hbase.ts';

const RUN_MS = 1_000;
const TABLE = 'bench';
const VALUE = randomBytes(1_024);
const COLUMN = { family: 'e', qualifier: Buffer.from('e') };

let next = 0;
/** All rows are new, and of one region: what a group needs. */
function newRow(): { put: Put; condition: Condition } {
  const row = Buffer.alloc(12);
  row.writeUInt32BE(next++, 8);
  return {
    put: { row, columns: [{ ...COLUMN, value: VALUE }] },
    condition: { row, ...COLUMN, exists: false },
  };
}

/** Keeps so many calls under way. */
async function measure(inFlight: number, entries: number, call: () => Promise<boolean>): Promise<string[]> {
  const times: number[] = [];
  const end = performance.now() + RUN_MS;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const began = performance.now();
      if (!(await call())) throw new Error('A new row was there already.');
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(1);
  return [Math.round((times.length * entries * 1_000) / RUN_MS).toString(), at(0.5), at(0.99)];
}

const hbase = await startHbase();
const client = new HbaseClient({ bootstrap: [hbase.master] });
try {
  await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table: TABLE, regions: 4 });
  const single = (): Promise<boolean> => {
    const { put, condition } = newRow();
    return putRow(client, TABLE, put, condition);
  };
  const group = (size: number) => (): Promise<boolean> => {
    const rows = Array.from({ length: size }, newRow);
    return putRows(
      client,
      TABLE,
      rows.map(({ put }) => put),
      rows.map(({ condition }) => condition),
    );
  };
  // The first calls are the slow ones of a JVM.
  await measure(16, 1, single);
  console.log(['write', 'in flight', 'entries/s', 'p50 ms', 'p99 ms'].join('\t'));
  for (const inFlight of [1, 16, 64])
    console.log(['single', inFlight, ...(await measure(inFlight, 1, single))].join('\t'));
  for (const size of [16, 64])
    for (const inFlight of [1, 4])
      console.log([`group of ${size}`, inFlight, ...(await measure(inFlight, size, group(size)))].join('\t'));
} finally {
  await client.close();
  await hbase.close();
}
