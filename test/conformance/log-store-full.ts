// A SQLite log on a small disk that gets full and has room again: `node log-store-full.ts FOLDER`, the folder being a disk
// of its own. Ends with an error when the store breaks a promise.
import assert from 'node:assert/strict';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreUnavailable, type LogStore } from '../../workloads/app-server/log/log-store.ts';
import { openSqliteStore } from '../../workloads/app-server/log/sqlite-store.ts';

const ENTRY_BYTES = 20_000;
/** What is left beside the ballast: some entries fit. */
const ROOM_BYTES = 1024 * 1024;
const ROUNDS = 3;
const ALL = { limit: 10_000, maxBytes: Number.MAX_SAFE_INTEGER };
const KEY = 'user:u1';

async function fillAndFree(folder: string): Promise<void> {
  const file = join(folder, 'log.db');
  const ballast = join(folder, 'ballast');
  let store = await openSqliteStore(file);
  let written = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { bavail, bsize } = await statfs(folder);
    await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - ROOM_BYTES)));
    const from = written;
    written = await appendUntilFull(store, written);
    assert.ok(written > from, 'nothing fitted');
    await assert.rejects(
      store.putPages(KEY, [{ id: 'ab'.repeat(16), bytes: Buffer.alloc(2 * ROOM_BYTES) }]),
      StoreUnavailable,
    );
    await expectWritten(store, written);
    await rm(ballast);
    assert.equal(await store.append(KEY, written + 1, entry(written + 1)), 'appended');
    written++;
    await expectWritten(store, written);
    await store.close();
    store = await openSqliteStore(file);
    await expectWritten(store, written);
  }
  await store.close();
}

/** @returns the last entry that was acknowledged */
async function appendUntilFull(store: LogStore, from: number): Promise<number> {
  for (let seq = from + 1; ; seq++) {
    try {
      assert.equal(await store.append(KEY, seq, entry(seq), [entry(seq)]), 'appended');
    } catch (error) {
      assert.ok(error instanceof StoreUnavailable, String(error));
      // It is not there, and the same number may be given again.
      assert.equal((await store.readLast(KEY))?.seq, seq - 1);
      return seq - 1;
    }
  }
}

async function expectWritten(store: LogStore, last: number): Promise<void> {
  const rows = await store.read(KEY, 1, ALL);
  assert.deepEqual(
    rows.map(({ seq }) => seq),
    Array.from({ length: last }, (_, index) => index + 1),
  );
  for (const row of rows) assert.equal(Buffer.compare(row.entry, entry(row.seq)), 0);
}

function entry(seq: number): Uint8Array {
  return Buffer.alloc(ENTRY_BYTES, `entry ${seq} `);
}

const [, , folder] = process.argv;
if (!folder) throw new Error('log-store-full.ts FOLDER');
await fillAndFree(folder);
