// Segments and indexes: what is written comes back, what is damaged is found, what did not change is not written again.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { openFileBlobStore } from '../../workloads/common/blobs/file-blob-store.ts';
import type { TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { findRecord, IndexWriter, readIndex } from './index-files.ts';
import { BadBackup, compareKeys, type Extent, type IndexRecord } from './index-record.ts';
import {
  latestBackup,
  listBackups,
  newBackup,
  readManifest,
  writeManifest,
  type Manifest,
} from './manifest.ts';
import { readLog, SegmentWriter } from './segments.ts';

let folder: string;
let store: BlobStore;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellpost-backup-format-'));
  store = await openFileBlobStore(join(folder, 'store'));
});

after(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const rowOf = (seq: number, size: number): TransferRow => ({
  seq,
  entry: Buffer.from(`entry ${seq}`),
  bodies: [{ index: 0, bytes: Buffer.alloc(size, seq) }],
});

function recordOf(key: string, head: number, extents: Extent[]): IndexRecord {
  return { key, head, headSha256: sha256(rowOf(head, 0).entry), extents };
}

function manifestOf(index: Manifest['index'], parent?: Manifest): Manifest {
  const none = { segments: 0, segmentBytes: 0, indexBytes: 0, blobs: 0, blobBytes: 0 };
  return {
    format: 1,
    ...newBackup(parent),
    cell: null,
    keys: 0,
    entries: 0,
    index,
    added: { keys: 0, entries: 0, ...none },
  };
}

test('logs of any size come back from segments, and damage in one is found', async () => {
  const writer = new SegmentWriter(store);
  const logs = new Map<string, Extent[]>();
  for (const [key, size] of [
    ['small', 10],
    ['large', 700_000],
    ['last', 1_000],
  ] as const) {
    const extents: Extent[] = [];
    for (let seq = 1; seq <= 20; seq++)
      await writer.add(extents, rowOf(seq, size), seq === 5 ? ['ab'.repeat(32)] : []);
    logs.set(key, extents);
  }
  await writer.flush();
  assert.ok((logs.get('large')?.length ?? 0) > 1, 'a large log is in several segments');
  assert.equal(writer.written, 2);
  for (const [key, extents] of logs) {
    const seqs: number[] = [];
    for await (const { seq, bodies } of readLog(store, recordOf(key, 20, extents))) {
      seqs.push(seq);
      assert.equal(bodies[0]?.bytes[0], seq);
    }
    assert.deepEqual(
      seqs,
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    assert.deepEqual(
      extents.flatMap(({ blobs }) => blobs),
      ['ab'.repeat(32)],
    );
  }
  const read = async (record: IndexRecord): Promise<void> => {
    for await (const row of readLog(store, record)) assert.ok(row.seq > 0);
  };
  const last = logs.get('last') ?? [];
  await assert.rejects(read(recordOf('last', 19, last)), BadBackup, 'the head is another');
  const [extent] = last;
  assert.ok(extent);
  const bytes = Buffer.from(await store.get(extent.segment));
  bytes[extent.offset + 500] = (bytes[extent.offset + 500] ?? 0) ^ 1;
  const { segment } = extent;
  const path = join(folder, 'store', segment.slice(0, 2), segment.slice(2, 4), segment);
  await writeFile(path, bytes);
  await assert.rejects(read(recordOf('last', 20, last)), /damaged/);
  await writeFile(path, bytes.subarray(0, extent.offset + 500));
  await assert.rejects(read(recordOf('last', 20, last)), BadBackup);
  await store.purge(segment, Date.now());
  await rm(path);
  await assert.rejects(read(recordOf('last', 20, last)), BadBackup);
});

test('a change of one log writes one part of the index, and every log is found by its key', async () => {
  const extent = {
    segment: 'cd'.repeat(32),
    offset: 0,
    length: 1,
    sha256: 'ef'.repeat(32),
    from: 1,
    to: 1,
    blobs: [],
  };
  const keys = Array.from({ length: 30_000 }, (_, number) => `user:u${number}`).sort(compareKeys);
  const write = async (known: Manifest['index'], changed: ReadonlySet<string>): Promise<IndexWriter> => {
    const writer = new IndexWriter(store, known, async () => {});
    for (const key of keys)
      await writer.add(
        changed.has(key)
          ? { ...recordOf(key, 2, [extent, { ...extent, from: 2, to: 2 }]) }
          : recordOf(key, 1, [extent]),
      );
    await writer.finish();
    return writer;
  };
  const first = await write([], new Set());
  assert.ok(first.parts.length > 2 && first.parts.length < 30, `${first.parts.length} parts`);
  const same = await write(first.parts, new Set());
  assert.equal(same.addedBytes, 0);
  const chosen = keys[12_345] ?? '';
  const next = await write(first.parts, new Set([chosen]));
  const others = next.parts.filter(({ id }) => !first.parts.some((part) => part.id === id));
  assert.equal(others.length, 1);

  const manifest = manifestOf(next.parts);
  let number = 0;
  for await (const { key } of readIndex(store, manifest)) assert.equal(key, keys[number++]);
  assert.equal(number, keys.length);
  assert.equal((await findRecord(store, manifest, chosen))?.head, 2);
  for (const key of [keys[0], keys.at(-1), keys[4_000]])
    assert.equal((await findRecord(store, manifest, key ?? ''))?.key, key);
  assert.equal(await findRecord(store, manifest, 'user:nobody'), undefined);
  const gap = recordOf('user:gap', 3, [extent, { ...extent, from: 3, to: 3 }]);
  const bad = new IndexWriter(store, [], async () => {});
  await bad.add(gap);
  await bad.finish();
  await assert.rejects(findRecord(store, manifestOf(bad.parts), 'user:gap'), /has not every entry/);
});

test('manifests are listed in their order, and refused when they are damaged or of another format', async () => {
  const first = manifestOf([]);
  await writeManifest(store, first);
  const second = { ...manifestOf([], first), cell: 'a' };
  await writeManifest(store, second);
  const third = manifestOf([], second);
  await writeManifest(store, third);
  assert.deepEqual(await listBackups(store), [first.id, second.id, third.id]);
  assert.deepEqual(await readManifest(store, second.id), second);
  assert.equal((await latestBackup(store, null))?.id, third.id);
  assert.equal((await latestBackup(store, 'a'))?.id, second.id);
  assert.equal(await latestBackup(store, 'b'), undefined);

  const name = `backup-${first.id}.json`;
  const text = Buffer.from((await store.documents.get(name)) ?? []).toString();
  await store.documents.put(name, Buffer.from(text.replace('"cell":null', '"cell":"x"')));
  await assert.rejects(readManifest(store, first.id), /damaged/);
  const newer = JSON.stringify({ ...first, format: 2 });
  await store.documents.put(name, Buffer.from(`${newer}\n${sha256(Buffer.from(newer))}\n`));
  await assert.rejects(readManifest(store, first.id), /format 2/);
  await assert.rejects(readManifest(store, '../secret'), /no backup/);
});
