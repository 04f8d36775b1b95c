// What is special to the SQLite store; what every store promises is in test/conformance/log-store.test.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { ConfigError } from '../../common/config/env.ts';
import { SqliteThread } from './sqlite-store-thread.ts';
import { openSqliteStore } from './sqlite-store.ts';

const ALL = { limit: 1000, maxBytes: Number.MAX_SAFE_INTEGER };
/** Of util-linux: gives a process mounts of its own. */
const UNSHARE = 'unshare';
/** How long another process keeps the file locked in a test: far less than the store's own deadline. */
const LOCK_MS = 300;

describe('SQLite log store', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellpost-sqlite-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('refuses a file of a newer format with one sentence', async () => {
    const file = join(folder, 'newer.db');
    await (await openSqliteStore(file)).close();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 2');
    db.close();
    await assert.rejects(openSqliteStore(file), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(
        error.message,
        /^\S+newer\.db has format 2, made by a newer Cellpost; this one reads format 1\.$/,
      );
      return true;
    });
  });

  it('touches no file that is not its own', async () => {
    const foreign = join(folder, 'foreign.db');
    const db = new DatabaseSync(foreign);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    await assert.rejects(openSqliteStore(foreign), {
      name: 'ConfigError',
      message: /is not a database of Cellpost/,
    });
    const text = join(folder, 'text.db');
    await writeFile(text, 'no database at all '.repeat(1000));
    await assert.rejects(openSqliteStore(text), {
      name: 'ConfigError',
      message: /is not a database of Cellpost/,
    });
  });

  it('may be opened by many at once when there is no file yet', async () => {
    const file = join(folder, 'many', 'log.db');
    const stores = await Promise.all(Array.from({ length: 6 }, () => openSqliteStore(file)));
    const outcomes = await Promise.all(
      stores.map((store, index) => store.append('k', 1, Buffer.from([index]))),
    );
    assert.equal(outcomes.filter((outcome) => outcome === 'appended').length, 1);
    await Promise.all(stores.map((store) => store.close()));
  });

  it('waits for the transaction of another process, without holding up the event loop', async () => {
    const file = join(folder, 'busy.db');
    const store = await openSqliteStore(file);
    const locker = new DatabaseSync(file);
    try {
      locker.exec('BEGIN IMMEDIATE');
      let appended = false;
      const append = store.append('k', 1, Buffer.from('x')).then(() => (appended = true));
      // A timer fires meanwhile, and reads are answered.
      await new Promise((resolve) => setTimeout(resolve, LOCK_MS));
      assert.deepEqual(await store.read('k', 1, ALL), []);
      assert.equal(appended, false);
      locker.exec('COMMIT');
      await append;
      assert.equal((await store.read('k', 1, ALL)).length, 1);
    } finally {
      locker.close();
      await store.close();
    }
  });

  it('says StoreUnavailable when the disk is full, and loses nothing that was acknowledged', (t) => {
    // A small disk of our own: a tmpfs in a mount namespace.
    const script = `mount -t tmpfs -o size=2m none "$0" && exec "$1" --input-type=module-typescript -e "$2" "$0/full.db" "$3"`;
    const program = `
      const { openSqliteStore } = await import(process.argv[2]);
      const store = await openSqliteStore(process.argv[1]);
      const errors = new Set();
      let written = 0;
      for (let i = 1; i <= 40; i++) {
        try { await store.append('k', written + 1, Buffer.alloc(100_000, i)); written++; } catch (error) { errors.add(error.name); }
      }
      const rows = await store.read('k', 1, { limit: 1000, maxBytes: 1e9 });
      await store.close();
      console.log(JSON.stringify({ written, rows: rows.length, errors: [...errors] }));`;
    const module = new URL('./sqlite-store.ts', import.meta.url).href;
    const args = ['-rm', 'sh', '-c', script, folder, process.execPath, program, module];
    const run = spawnSync(UNSHARE, args, { encoding: 'utf8', timeout: 60_000 });
    if (run.error || /unshare|mount/.test(run.stderr)) {
      t.skip(`no mount namespace here: ${run.error?.message ?? run.stderr.trim()}`);
      return;
    }
    assert.equal(run.status, 0, run.stderr);
    const { written, rows, errors } = JSON.parse(run.stdout);
    assert.ok(written > 5 && written < 40, `${written} entries fitted`);
    assert.equal(rows, written);
    assert.deepEqual(errors, ['StoreUnavailable']);
  });

  it('tells of threads that can not open the file any more, until one can', async () => {
    const place = join(folder, 'place');
    await writeFile(place, 'a file where the folder should be');
    const settings = { file: join(place, 'a.db'), busyDeadlineMs: 1_000, role: 'writer' as const };
    const thread = new SqliteThread(settings, undefined);
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.equal(thread.starts, true);
      await assert.rejects(thread.open());
    }
    assert.equal(thread.starts, false);
    await rm(place);
    await thread.open();
    assert.equal(thread.starts, true);
    await thread.close();
  });
});
