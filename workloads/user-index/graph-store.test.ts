// When snapshots are stored, and what a restart makes of them: with a real store of files.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { BlobStore } from '../common/blobs/blob-store.ts';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { createLogger } from '../common/log.ts';
import { FriendGraph } from './graph.ts';
import { GraphStore } from './graph-store.ts';
import { saveBase } from './base-snapshot.ts';
import { loadWords } from './words-snapshot.ts';

const MINUTE_MS = 60_000;
const NOW_MS = Date.UTC(2030, 0, 1);

async function openBlobs(t: TestContext): Promise<BlobStore> {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-graph-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return openBlobStore(`file:${folder}`, {});
}

/** One life of an index: it starts, hears up to a time, and ends. */
async function live(
  blobs: BlobStore,
  { watermarkMs, isComplete = true }: { watermarkMs: number; isComplete?: boolean },
): Promise<{ hadSnapshot: boolean; since: number | undefined }> {
  const store = new GraphStore({ blobs, logger: createLogger('test', 'silent'), snapshotMs: MINUTE_MS });
  const marks = await store.open();
  store.keep({ watermarks: () => new Map([['a', watermarkMs]]), isComplete: () => isComplete });
  await store.close();
  return { hadSnapshot: store.hasSnapshot, since: marks.get('a') };
}

test('an index whose friends come from an edge list alone starts from its snapshot the next time', async (t) => {
  const blobs = await openBlobs(t);
  await saveBase(blobs, new FriendGraph());
  assert.deepEqual(await live(blobs, { watermarkMs: NOW_MS }), { hadSnapshot: false, since: undefined });
  assert.deepEqual(await live(blobs, { watermarkMs: NOW_MS }), { hadSnapshot: true, since: NOW_MS });
});

test('what was read of the logs in part is no snapshot', async (t) => {
  const blobs = await openBlobs(t);
  await live(blobs, { watermarkMs: 0, isComplete: false });
  assert.equal(await loadWords(blobs, new FriendGraph()), undefined);
});

test('watermarks are stored again when they are minutes old, though nobody has new friends', async (t) => {
  const blobs = await openBlobs(t);
  await live(blobs, { watermarkMs: NOW_MS });
  await live(blobs, { watermarkMs: NOW_MS + MINUTE_MS });
  assert.equal((await loadWords(blobs, new FriendGraph()))?.watermarks.get('a'), NOW_MS);
  await live(blobs, { watermarkMs: NOW_MS + 10 * MINUTE_MS });
  assert.equal((await loadWords(blobs, new FriendGraph()))?.watermarks.get('a'), NOW_MS + 10 * MINUTE_MS);
});
