import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { openFileBlobStore } from '../../common/blobs/file-blob-store.ts';
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import type { Action } from '../log/actions.ts';
import { entryCodec } from '../log/entry.ts';
import type { LogRow, ReadLimits } from '../log/log-store.ts';
import { MemoryStore } from '../log/memory-store.ts';
import { ordinal } from './ids.ts';
import { MessageReader } from './message-reader.ts';
import { inParallel } from '../../common/parallel.ts';
import { message, messageAdded } from './testing.ts';

class CountingStore extends MemoryStore {
  reads = 0;

  override read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    this.reads++;
    return super.read(key, fromSeq, limits);
  }
}

suite('reading messages', () => {
  const store = new CountingStore();
  let folder: string;
  let blobs: BlobStore;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellpost-reader-'));
    blobs = await openFileBlobStore(folder);
    for (const user of ['u1', 'u2'])
      for (let seq = 1; seq <= 100; seq++) {
        const added = messageAdded({ message: message({ subject: `${user} ${seq}` }) });
        const actions: Action[] = [{ type: 'messageKeywordsChanged', emailId: 'e1-0', keywords: [] }, added];
        const writer = { server: 'a-0', session: '1', number: seq };
        const entry = entryCodec.encode({ timeMs: seq, writer, actions });
        await store.append(`user:${user}`, seq, entry, [Buffer.from(`body of ${user} ${seq}`)]);
      }
  });
  after(async () => {
    await blobs.close();
    await rm(folder, { recursive: true, force: true });
  });

  const reader = (): MessageReader =>
    new MessageReader({ store, blobs, codec: entryCodec, cacheBytes: 1_000_000 });
  const ids = (...seqs: number[]): number[] => seqs.map((seq) => ordinal({ seq, index: 1 }));

  test('messages near one another are read together, and once', async () => {
    const messages = reader();
    store.reads = 0;
    const found = await messages.load('user:u1', ids(1, 2, 9, 60, 70, 100));
    assert.equal(store.reads, 3);
    assert.deepEqual([...found.values()].map((added) => added.message.headers.subject).sort(), [
      'u1 1',
      'u1 100',
      'u1 2',
      'u1 60',
      'u1 70',
      'u1 9',
    ]);
    await messages.load('user:u1', ids(9, 60));
    assert.equal(store.reads, 3);
  });

  test('what was read for one user is never given to another', async () => {
    const messages = reader();
    await messages.load('user:u1', ids(5));
    const [other] = [...(await messages.load('user:u2', ids(5))).values()];
    assert.equal(other?.message.headers.subject, 'u2 5');
    assert.ok(other);
    const bytes = messages.open('user:u2', ids(5)[0] ?? 0, other);
    assert.equal(Buffer.from(await bytes({ offset: 8, length: 4 })).toString(), 'u2 5');
  });

  test('a message that the log does not have is an error, not a gap', async () => {
    await assert.rejects(reader().load('user:u1', ids(5, 101)), { name: 'MessageMissing' });
    await assert.rejects(reader().load('user:u1', [ordinal({ seq: 5, index: 0 })]), {
      name: 'MessageMissing',
    });
  });
});

test('work in parallel keeps its order and its width, and ends with the first error', async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([5, 1, 4, 2, 3], 2, async (n) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < n; turn++) await Promise.resolve();
    running--;
    return n * 10;
  });
  assert.deepEqual([results, most], [[50, 10, 40, 20, 30], 2]);
  let begun = 0;
  const failing = inParallel([1, 2, 3, 4, 5, 6], 2, async (n) => {
    begun++;
    await Promise.resolve();
    if (n === 2) throw new Error('two');
  });
  await assert.rejects(failing, /two/);
  assert.ok(begun <= 4);
});
