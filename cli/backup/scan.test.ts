// Which logs a backup takes while users move between cells: the cells here are answers that change at chosen moments.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Unassigned } from '../../workloads/common/cell-client/errors.ts';
import type { CellResponse, RequestOptions } from '../../workloads/common/cell-client/sender.ts';
import { compareKeys, type IndexRecord } from './index-record.ts';
import { scanLogs, type ScannedCells } from './scan.ts';

const head = (seq: number): { seq: number; timeMs: number; sha256: string } => ({
  seq,
  timeMs: seq,
  sha256: `hash ${seq}`,
});

const answer = (status: number, value: unknown): CellResponse => {
  const body = Object.assign(Readable.from([JSON.stringify(value)]), { dump: async () => {} });
  return { status, headers: {}, body, json: async () => value };
};

/** Two cells: what each has listed, where each key belongs by the map, and what its owner says of it. */
class TestCells implements ScannedCells {
  readonly listed: Record<string, Record<string, number>> = { a: {}, b: {} };
  readonly map: Record<string, string> = {};
  readonly owned: Record<string, number> = {};
  asked: string[] = [];

  async where(key: string): Promise<{ cell: string }> {
    const cell = this.map[key];
    if (cell === undefined) throw new Unassigned(key);
    return { cell };
  }

  async request(key: string): Promise<CellResponse> {
    this.asked.push(key);
    const seq = this.owned[key];
    return seq === undefined ? answer(404, {}) : answer(200, head(seq));
  }

  async requestCell(cell: string, { path, body }: RequestOptions): Promise<CellResponse> {
    const keys = Object.keys(this.listed[cell] ?? {}).sort(compareKeys);
    if (path.startsWith('/keys')) {
      const after = new URL(path, 'http://x').searchParams.get('after');
      return answer(200, {
        keys: keys.filter((key) => after === null || compareKeys(key, after) > 0).slice(0, 3),
      });
    }
    const asked = JSON.parse(String(body)) as { keys: string[] };
    return answer(200, {
      heads: Object.fromEntries(asked.keys.map((key) => [key, head(this.listed[cell]?.[key] ?? 0)])),
    });
  }
}

async function scan(
  cells: TestCells,
  names: string[],
  before: string[] = [],
): Promise<Record<string, number>> {
  async function* previous(): AsyncGenerator<IndexRecord> {
    for (const key of before.toSorted(compareKeys)) yield { key, head: 1, headSha256: '', extents: [] };
  }
  const found: Record<string, number> = {};
  let last: string | undefined;
  for await (const one of scanLogs(cells, names, previous())) {
    assert.ok(last === undefined || compareKeys(last, one.key) < 0, 'in the order of the keys, each once');
    last = one.key;
    found[one.key] = one.head.seq;
    assert.equal(one.previous !== undefined, before.includes(one.key));
  }
  return found;
}

test('the logs of all cells come in the order of their keys, of the cell that the map names', async () => {
  const cells = new TestCells();
  const wanted: Record<string, number> = {};
  for (let number = 0; number < 20; number++) {
    const cell = number % 3 ? 'a' : 'b';
    const key = `user:u${number}`;
    wanted[key] = number + 1;
    cells.map[key] = cell;
    Object.assign(cells.listed[cell] ?? {}, { [key]: number + 1 });
  }
  assert.deepEqual(await scan(cells, ['a', 'b'], ['user:u3', 'user:u4']), wanted);
  assert.deepEqual(cells.asked, [], 'nothing was asked for by name');
  assert.deepEqual(
    await scan(cells, ['b']),
    Object.fromEntries(Object.entries(wanted).filter(([key]) => cells.map[key] === 'b')),
  );
});

test('a user who moves meanwhile is taken once, as its owner has it, whatever was listed', async () => {
  const cells = new TestCells();
  // Listed in both: the copy that was left behind does not count.
  Object.assign(cells.listed, { a: { 'user:both': 5, 'user:stale': 3 }, b: { 'user:both': 7 } });
  Object.assign(cells.map, { 'user:both': 'b', 'user:stale': 'b', 'user:missed': 'b', 'user:gone': 'a' });
  // Listed only where it was, or nowhere at all.
  Object.assign(cells.owned, { 'user:stale': 9, 'user:missed': 4 });
  const found = await scan(cells, ['a', 'b'], ['user:missed', 'user:gone', 'user:forgotten']);
  assert.deepEqual(found, { 'user:both': 7, 'user:stale': 9, 'user:missed': 4 });
  assert.deepEqual(cells.asked.sort(), ['user:gone', 'user:missed', 'user:stale']);
});
