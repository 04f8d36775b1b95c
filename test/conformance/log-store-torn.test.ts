// A power cut in the middle of a write to a SQLite log: the end of the write-ahead log is cut off, or is not what was
// written. Whatever was acknowledged before must be there; of the rest, what there is must be whole and without gaps.
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { openSqliteStore } from '../../workloads/app-server/log/sqlite-store.ts';

const ALL = { limit: 1000, maxBytes: Number.MAX_SAFE_INTEGER };
const KEYS = ['user:a', 'user:b', 'address:c@example.org'];
/** So few that no checkpoint takes the write-ahead log back to its start: each write has its place in it for good. */
const ROUNDS = 40;
const CUTS = 20;
/** The head of a write-ahead log, and a frame in it: a head and a page. */
const WAL_HEAD_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
/** What a disk may leave where the last writes should be. */
const GARBAGE_BYTES = 3 * FRAME_BYTES;

type Acknowledged = { key: string; seq: number; walBytes: number };

/** The bytes that a test expects under a key and number: of very different lengths. */
function content(key: string, seq: number, part: string): Buffer {
  const seed = createHash('sha256').update(`${key} ${seq} ${part}`).digest();
  return Buffer.alloc((seed.readUInt16BE(0) % 6_000) + 1, seed);
}

describe('a SQLite log whose last writes are torn', () => {
  let folder: string;
  let size: number;
  const acknowledged: Acknowledged[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellpost-torn-'));
    const file = join(folder, 'live.db');
    const store = await openSqliteStore(file);
    try {
      for (let seq = 1; seq <= ROUNDS; seq++) {
        await Promise.all(
          KEYS.map(async (key) => {
            const bodies = [content(key, seq, 'body 0'), content(key, seq, 'body 1')];
            assert.equal(await store.append(key, seq, content(key, seq, 'entry'), bodies), 'appended');
            acknowledged.push({ key, seq, walBytes: (await stat(`${file}-wal`)).size });
          }),
        );
      }
      // As a power cut would leave it: the store has not been closed.
      await copyFile(file, join(folder, 'crashed.db'));
      await copyFile(`${file}-wal`, join(folder, 'crashed.db-wal'));
      size = (await stat(join(folder, 'crashed.db-wal'))).size;
    } finally {
      await store.close();
    }
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens a copy of the crashed log after something was done to its write-ahead log. */
  async function reopened(
    damage: (walFile: string) => Promise<void>,
    check: (store: LogStore) => Promise<void>,
  ): Promise<void> {
    const here = join(folder, 'reopened');
    const file = join(here, 'log.db');
    await mkdir(here);
    try {
      await copyFile(join(folder, 'crashed.db'), file);
      await copyFile(join(folder, 'crashed.db-wal'), `${file}-wal`);
      await damage(`${file}-wal`);
      const store = await openSqliteStore(file);
      try {
        await check(store);
      } finally {
        await store.close();
      }
    } finally {
      await rm(here, { recursive: true, force: true });
    }
  }

  /** @param from nothing of the write-ahead log is left as it was from this byte on */
  async function expectPrefix(store: LogStore, from: number): Promise<void> {
    for (const key of KEYS) {
      const rows = await store.read(key, 1, ALL);
      const due = Math.max(
        0,
        ...acknowledged.filter((one) => one.key === key && one.walBytes <= from).map(({ seq }) => seq),
      );
      assert.ok(rows.length >= due, `${key}: ${rows.length} entries of ${due} acknowledged, cut at ${from}`);
      for (const [index, { seq, entry }] of rows.entries()) {
        assert.equal(seq, index + 1);
        assert.deepEqual(Buffer.from(entry), content(key, seq, 'entry'));
        for (const number of [0, 1]) {
          const body = await store.readBody(key, seq, number);
          assert.deepEqual(Buffer.from(body ?? []), content(key, seq, `body ${number}`));
        }
      }
      const next = rows.length + 1;
      assert.equal(await store.readBody(key, next, 0), undefined);
      assert.equal(await store.append(key, next, content(key, next, 'entry')), 'appended');
      assert.equal((await store.readLast(key))?.seq, next);
    }
  }

  it('has all of it when nothing is torn', async () => {
    await reopened(
      async () => {},
      (store) => expectPrefix(store, size),
    );
  });

  it('has what was acknowledged before the cut, wherever that is', async () => {
    const frames = (size - WAL_HEAD_BYTES) / FRAME_BYTES;
    assert.ok(Number.isInteger(frames) && frames > ROUNDS, `${frames} frames`);
    const edges = [0, 1, WAL_HEAD_BYTES, WAL_HEAD_BYTES + 24, size - FRAME_BYTES, size - 1];
    const inside = Array.from({ length: CUTS }, () => randomInt(size));
    for (const cut of [...edges, ...inside]) {
      await reopened(
        (walFile) => truncate(walFile, cut),
        (store) => expectPrefix(store, cut),
      );
    }
  });

  it('is not misled by what the disk has in place of the last writes', async () => {
    for (let round = 0; round < CUTS / 2; round++) {
      const from = randomInt(size - 1);
      const garbage = Buffer.alloc(
        Math.min(GARBAGE_BYTES, size - from),
        round % 2 === 0 ? 0 : `noise ${round}`,
      );
      await reopened(
        async (walFile) => {
          const wal = await open(walFile, 'r+');
          await wal.write(garbage, 0, garbage.length, from);
          await wal.close();
        },
        (store) => expectPrefix(store, from),
      );
    }
  });
});
