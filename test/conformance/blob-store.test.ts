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

const bytesOf = (index: number): Uint8Array => Buffer.from(`blob number ${index}`);

/** When the list says that it was put; 0 when it is not in the list. */
async function changedAt(store: BlobStore, id: string): Promise<number> {
  for await (const info of store.list()) if (info.id === id) return info.changedAtMs;
  return 0;
}

async function retiredAt(store: BlobStore, id: string): Promise<number> {
  for await (const info of store.listRetired()) if (info.id === id) return info.changedAtMs;
  return 0;
}

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

    it('gives no wrong bytes of a blob that was cut short: a range past its end is refused', async () => {
      const bytes = randomBytes(300_000);
      const { id } = await store.put(bytes);
      await under.damage(id, bytes.subarray(0, 200_000));
      await assert.rejects(store.get(id, { offset: 150_000, length: 100_000 }), RangeError);
      await assert.rejects(store.get(id, { offset: 250_000, length: 10 }), RangeError);
      await assert.rejects(store.get(id), BlobCorrupt);
      await under.damage(id, Buffer.concat([bytes, bytes]));
      await assert.rejects(store.get(id), BlobCorrupt);
      let streamed = 0;
      await assert.rejects(async () => {
        for await (const chunk of store.stream(id)) streamed += chunk.byteLength;
      }, BlobCorrupt);
      assert.ok(streamed > 0, 'a stream tells at its end');
      await store.put(bytes);
      assert.ok(same(await store.get(id), bytes));
    });

    it('lists every blob with its size and when it was put last', async () => {
      const started = Date.now();
      const put = [];
      for (const size of [0, 10, 5_000]) put.push(await store.put(randomBytes(size)));
      const listed = new Map<string, { sizeBytes: number; changedAtMs: number }>();
      for await (const info of other.list()) listed.set(info.id, info);
      for (const { id, sizeBytes } of put) {
        assert.equal(listed.get(id)?.sizeBytes, sizeBytes);
        // A service tells whole seconds.
        assert.ok((listed.get(id)?.changedAtMs ?? 0) >= started - 1_000);
      }
      const [first] = put;
      assert.ok(first);
      await under.age(first.id, 60_000);
      assert.ok((await changedAt(store, first.id)) < started - 30_000);
      await store.put(await store.get(first.id));
      assert.ok((await changedAt(store, first.id)) >= started - 1_000, 'putting it again makes it young');
    });

    it('lists more blobs than a page of a service holds', async () => {
      const wanted = new Set<string>();
      const batch = async (from: number): Promise<void> => {
        for (let index = from; index < from + 105; index++) wanted.add((await store.put(bytesOf(index))).id);
      };
      await Promise.all(Array.from({ length: 10 }, (_, worker) => batch(worker * 105)));
      assert.equal(wanted.size, 1_050);
      for await (const { id } of store.list()) wanted.delete(id);
      assert.equal(wanted.size, 0);
    });

    it('still finds a blob that is set aside, takes it back, and deletes it for good', async () => {
      const bytes = randomBytes(10_000);
      const { id } = await store.put(bytes);
      await store.retire(id);
      assert.equal(await changedAt(store, id), 0, 'it is in the list no more');
      assert.ok((await retiredAt(store, id)) > 0);
      assert.ok(same(await other.get(id), bytes));
      assert.ok(same(await other.get(id, { offset: 5, length: 10 }), bytes.subarray(5, 15)));
      assert.equal(await other.size(id), 10_000);
      await store.revive(id);
      assert.ok((await changedAt(store, id)) > 0);
      assert.equal(await retiredAt(store, id), 0);

      await store.retire(id);
      assert.equal(await store.purge(id, Date.now() - 60_000), false, 'it was set aside later');
      assert.equal(await store.purge(id, Date.now()), true);
      assert.equal(await other.size(id), undefined);
      await assert.rejects(other.get(id), BlobNotFound);
      for (const step of [store.retire(id), store.revive(id)]) await step;
      assert.equal(await store.purge(id, Date.now()), false);
    });

    it('keeps a blob that was put again after it was set aside, whatever is deleted then', async () => {
      const bytes = randomBytes(10_000);
      const { id } = await store.put(bytes);
      await store.retire(id);
      await other.put(bytes);
      await store.purge(id, Date.now());
      assert.ok(same(await store.get(id), bytes));
      assert.ok((await changedAt(store, id)) > 0);
    });

    it('finds a blob at every moment while it is set aside and taken back', async () => {
      const bytes = randomBytes(1_000);
      const { id } = await store.put(bytes);
      const state = { moving: true };
      const readers = Array.from({ length: 4 }, async () => {
        while (state.moving) assert.ok(same(await other.get(id), bytes));
      });
      for (let round = 0; round < 25; round++) {
        await store.retire(id);
        await store.revive(id);
      }
      state.moving = false;
      await Promise.all(readers);
    });

    it('keeps documents by their names, apart from blobs', async () => {
      const { documents } = store;
      const before = await documents.list();
      assert.equal(await documents.get('backup-1.json'), undefined);
      await documents.put('backup-1.json', Buffer.from('one'));
      await documents.put('backup-2.json', Buffer.from(''));
      await documents.put('backup-1.json', Buffer.from('another'));
      assert.equal(Buffer.from((await other.documents.get('backup-1.json')) ?? []).toString(), 'another');
      assert.equal((await other.documents.get('backup-2.json'))?.byteLength, 0);
      assert.deepEqual(await other.documents.list(), [...before, 'backup-1.json', 'backup-2.json']);
      for await (const { id } of store.list()) assert.match(id, /^[0-9a-f]{64}$/);
      for (const name of ['', '../x', 'a/b', '.hidden', 'x'.repeat(129)])
        await assert.rejects(documents.put(name, Buffer.from('x')), RangeError);
    });

    it('asks for nothing but hashes', async () => {
      for (const id of ['', '../../../etc/passwd', 'A'.repeat(64), `${NOWHERE}/..`, NOWHERE.slice(1)]) {
        await assert.rejects(store.get(id), BlobNotFound);
        await assert.rejects(store.size(id), BlobNotFound);
        await assert.rejects(store.retire(id), BlobNotFound);
        await assert.rejects(store.revive(id), BlobNotFound);
        await assert.rejects(store.purge(id, Date.now()), BlobNotFound);
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
      await assert.rejects(closed.retire(id), BlobStoreUnavailable);
      await assert.rejects(closed.documents.list(), BlobStoreUnavailable);
    });
  });
}
