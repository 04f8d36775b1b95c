// What a full disk does to a SQLite log: a tmpfs in a mount namespace is the disk.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('log-store-full.ts', import.meta.url));
/** Of util-linux: gives a process mounts of its own. */
const UNSHARE = 'unshare';
const DISK = '24m';
const DEADLINE_MS = 120_000;

test('a full disk is told as such, loses nothing, and all goes on when there is room again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-full-'));
  try {
    const script = `mount -t tmpfs -o size=${DISK} none "$0" && exec "$1" "$2" "$0"`;
    const args = ['-rm', 'sh', '-c', script, folder, process.execPath, PROGRAM];
    const run = spawnSync(UNSHARE, args, { encoding: 'utf8', timeout: DEADLINE_MS });
    if (
      (run.error && 'code' in run.error && run.error.code === 'ENOENT') ||
      /^(unshare|mount):/m.test(run.stderr)
    ) {
      t.skip(`no mount namespace here: ${run.error?.message ?? run.stderr.trim()}`);
      return;
    }
    assert.equal(run.status, 0, `${run.error?.message ?? ''} ${run.stderr}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
