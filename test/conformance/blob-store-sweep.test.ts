// Sweeps of blobs, on every blob store: what is referred to stays, whatever happens meanwhile.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BlobNotFound, type BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { sweepBlobs, type SweepResult } from '../../workloads/common/blobs/sweep.ts';
import { BLOB_STORES, type BlobStoreUnderTest } from './blob-stores.ts';

const START_DEADLINE_MS = 660_000;
const HOUR_MS = 3_600_000;
const GRACE_MS = 24 * HOUR_MS;
const AGED_MS = GRACE_MS + HOUR_MS;

async function* from(ids: Iterable<string>): AsyncGenerator<string> {
  yield* ids;
}

for (const maker of BLOB_STORES) {
  describe(`blob sweep: ${maker.name}`, { skip: maker.skip }, () => {
    let under: BlobStoreUnderTest;
    let store: BlobStore;

    before(
      async () => {
        under = await maker.start();
        store = await under.open();
      },
      { timeout: START_DEADLINE_MS },
    );
    after(async () => {
      await store?.close();
      await under?.close();
    });

    const sweep = async (
      references: Iterable<string> | AsyncIterable<string>,
      options: { graceMs?: number; dryRun?: boolean } = {},
    ): Promise<SweepResult> =>
      await sweepBlobs({
        store,
        references: Symbol.asyncIterator in references ? references : from(references),
        graceMs: options.graceMs ?? GRACE_MS,
        dryRun: options.dryRun ?? false,
      });

    const put = async (ageMs = 0): Promise<string> => {
      const { id } = await store.put(randomBytes(1_000));
      if (ageMs > 0) await under.age(id, ageMs);
      return id;
    };

    it('deletes an old blob that nothing refers to by two sweeps, and leaves used and young ones', async () => {
      const [used, unused, young] = [await put(AGED_MS), await put(AGED_MS), await put()];
      const dry = await sweep([used], { dryRun: true });
      assert.deepEqual(dry.setAside, { blobs: 1, bytes: 1_000 });
      assert.deepEqual(await sweep([used]), dry, 'a dry run says what is done then');
      assert.equal(await store.size(unused), 1_000, 'what is set aside can be read');

      assert.deepEqual((await sweep([used])).deleted, { blobs: 0, bytes: 0 }, 'the grace is not over');
      await under.age(unused, AGED_MS);
      assert.deepEqual((await sweep([used])).deleted, { blobs: 1, bytes: 1_000 });
      await assert.rejects(store.get(unused), BlobNotFound);
      for (const id of [used, young]) assert.equal(await store.size(id), 1_000);
    });

    it('takes back what was referred to only after it was set aside', async () => {
      const late = await put(AGED_MS);
      await sweep([]);
      assert.deepEqual((await sweep([late])).takenBack, { blobs: 1, bytes: 1_000 });
      await under.age(late, AGED_MS);
      await sweep([late]);
      let listed = false;
      for await (const { id } of store.list()) listed ||= id === late;
      assert.ok(listed);
    });

    it('moves and deletes nothing when the references can not all be read', async () => {
      const unused = await put(AGED_MS);
      async function* broken(): AsyncGenerator<string> {
        yield unused;
        throw new Error('a cell is out of reach');
      }
      await assert.rejects(sweep(broken()), /out of reach/);
      let listed = false;
      for await (const { id } of store.list()) listed ||= id === unused;
      assert.ok(listed);
    });

    it('loses nothing to sweeps that run while the same content is put and then referred to', async () => {
      const contents = Array.from({ length: 8 }, () => randomBytes(500));
      const references = new Set<string>();
      const underWay = new Set<string>();
      const state = { delivering: true };
      // Puts, and refers to it a little later; between two deliveries nothing refers to the content.
      const deliver = async (bytes: Uint8Array): Promise<void> => {
        const id = createHash('sha256').update(bytes).digest('hex');
        for (let round = 0; round < 8; round++) {
          references.delete(id);
          underWay.add(id);
          await store.put(bytes);
          await sleep(2);
          references.add(id);
          underWay.delete(id);
          assert.equal(await store.size(id), 500, `in round ${round}`);
        }
      };
      const sweeping = (async () => {
        while (state.delivering) {
          await sweep(references);
          // A day passes for everything that nobody is delivering.
          for (const bytes of contents) {
            const id = createHash('sha256').update(bytes).digest('hex');
            if (!underWay.has(id)) await under.age(id, AGED_MS);
          }
        }
      })();
      await Promise.all(contents.map(deliver));
      state.delivering = false;
      await sweeping;
      await sweep(references);
      for (const [index, id] of [...references].entries()) {
        const whole = await store.get(id);
        assert.equal(whole.byteLength, 500, `content ${index}`);
      }
      assert.equal(references.size, contents.length);
    });
  });
}
