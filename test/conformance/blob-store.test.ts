// What every blob store promises (workloads/common/blobs/blob-store.ts), each promise tried on each of them.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  BlobCorrupt,
  BlobNotFound,
  BlobStoreUnavailable,
  type BlobStore,
} from '../../workloads/common/blobs/blob-store.ts';
import { BLOB_STORES, type BlobStoreUnderTest } from './blob-stores.ts';

/** The first start may build the S3 service. */
const START_DEADLINE_MS = 660_000;
const CHUNK_BYTES = 64 * 1024;
const MANY_CHUNKS = 320;
/** A streaming writer may hold a few chunks and a small spool, whatever the blob's size. */
const MEMORY_BOUND_BYTES = 12 * 1024 * 1024;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const NOWHERE = sha256(Buffer.from('no blob has these bytes'));

for (const maker of BLOB_STORES) {
  describe(`blob store: ${maker.name}`, { skip: maker.skip }, () => {
    let under: BlobStoreUnderTest;
    let store: BlobStore;
    let other: BlobStore;

    before(
      async () => {
        under = await maker.start();
        store = await under.open();
        other = await under.open();
      },
      { timeout: START_DEADLINE_MS },
    );
    after(async () => {
      await store?.close();
      await other?.close();
      await under?.close();
    });

    it('has no blob before the first', async () => {
      assert.equal(await store.size(NOWHERE), undefined);
      await assert.rejects(store.get(NOWHERE), BlobNotFound);
    });

    it('gives back what was put, under the hash of its bytes, through another store as well', async () => {
      for (const size of [0, 1, 1000, CHUNK_BYTES, 1_500_000]) {
        const bytes = randomBytes(size);
        assert.deepEqual(await store.put(bytes), { id: sha256(bytes), sizeBytes: size });
        assert.ok(same(await other.get(sha256(bytes)), bytes));
        assert.equal(await other.size(sha256(bytes)), size);
      }
    });

    it('takes the same blob again and again, also at once', async () => {
      const bytes = randomBytes(300_000);
      const puts = Array.from({ length: 12 }, (_, index) => (index % 2 ? store : other).put(bytes));
      for (const put of await Promise.all(puts)) assert.equal(put.id, sha256(bytes));
      await store.put(bytes);
      assert.ok(same(await store.get(sha256(bytes)), bytes));
    });

    it('writes a large blob in bounded memory', async () => {
      const chunk = randomBytes(CHUNK_BYTES);
      const hash = createHash('sha256');
      const writer = store.writer();
      const before = process.memoryUsage().arrayBuffers;
      let most = 0;
      for (let index = 0; index < MANY_CHUNKS; index++) {
        chunk.writeUInt32BE(index);
        hash.update(chunk);
        await writer.write(chunk);
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      const { id, sizeBytes } = await writer.commit();
      assert.equal(id, hash.digest('hex'));
      assert.equal(sizeBytes, MANY_CHUNKS * CHUNK_BYTES);
      assert.ok(most < MEMORY_BOUND_BYTES, `held ${most} bytes`);
      let read = 0;
      for await (const part of other.stream(id)) read += part.byteLength;
      assert.equal(read, sizeBytes);
      await writer.abort();
      assert.equal(await store.size(id), sizeBytes, 'abort after commit does nothing');
    });

    it('gives ranges, and refuses those that are not inside', async () => {
      const bytes = randomBytes(1_000_000);
      const { id } = await store.put(bytes);
      const ranges = [
        [0, 1],
        [0, 1_000_000],
        [999_999, 1],
        [123_456, 700_000],
        [0, 0],
        [1_000_000, 0],
      ] as const;
      for (const [offset, length] of ranges) {
        const part = await store.get(id, { offset, length });
        assert.ok(same(part, bytes.subarray(offset, offset + length)), `${offset}+${length}`);
      }
      const outside = [
        [0, 1_000_001],
        [1_000_000, 1],
        [999_999, 2],
        [-1, 2],
        [0.5, 1],
        [5, -1],
        [2_000_000, 10],
        [1_000_001, 0],
      ] as const;
      for (const [offset, length] of outside)
        await assert.rejects(store.get(id, { offset, length }), RangeError, `${offset}+${length}`);
      await assert.rejects(store.get(NOWHERE, { offset: 0, length: 1 }), BlobNotFound);
      await assert.rejects(store.get(NOWHERE, { offset: 0, length: 0 }), BlobNotFound);
    });

    it('leaves nothing of a blob that was aborted', async () => {
      const bytes = randomBytes(600_000);
      const writer = store.writer();
      await writer.write(bytes.subarray(0, 300_000));
      await writer.write(bytes.subarray(300_000));
      await writer.abort();
      await writer.abort();
      assert.equal(await store.size(sha256(bytes)), undefined);
      assert.equal(await under.countLeftovers(), 0);
      await assert.rejects(writer.commit(), BlobStoreUnavailable);
      await store.writer().abort();
      const { id } = await store.writer().commit();
      assert.equal(id, sha256(new Uint8Array(0)));
      assert.equal(await under.countLeftovers(), 0);
    });

    it('lets a reader stop early', async () => {
      const { id } = await store.put(randomBytes(2_000_000));
      for await (const chunk of store.stream(id)) {
        assert.ok(chunk.byteLength > 0);
        break;
      }
      assert.equal((await store.get(id)).length, 2_000_000);
    });

    it('finds out about damage when a blob is read whole', async () => {
      const bytes = randomBytes(500_000);
      const { id } = await store.put(bytes);
      const damaged = Buffer.from(bytes);
      damaged[250_000] = (damaged[250_000] ?? 0) ^ 1;
      await under.damage(id, damaged);
      await assert.rejects(store.get(id), BlobCorrupt);
      await under.damage(id, bytes.subarray(0, 400_000));
      await assert.rejects(store.get(id), BlobCorrupt);
      await store.put(bytes);
      assert.ok(same(await store.get(id), bytes), 'putting it again mends it');
    });

    it('asks for nothing but hashes', async () => {
      for (const id of ['', '../../../etc/passwd', 'A'.repeat(64), `${NOWHERE}/..`, NOWHERE.slice(1)]) {
        await assert.rejects(store.get(id), BlobNotFound);
        await assert.rejects(store.size(id), BlobNotFound);
      }
    });

    it('refuses everything after it was closed', async () => {
      const closed = await under.open();
      const { id } = await closed.put(randomBytes(10));
      await closed.close();
      await closed.close();
      await assert.rejects(closed.get(id), BlobStoreUnavailable);
      await assert.rejects(closed.size(id), BlobStoreUnavailable);
      await assert.rejects(closed.put(randomBytes(10)), BlobStoreUnavailable);
    });
  });
}
