// What is special to the S3 blob store: a service that goes away and comes back.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { BlobStoreUnavailable, type BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { versitygwMissing } from '../../images/go-program.ts';
import { startVersitygw, type Versitygw } from '../real/versitygw.ts';

const START_DEADLINE_MS = 660_000;
const LARGE_BYTES = 24 * 1024 * 1024;

describe('blob store on S3', { skip: await versitygwMissing() }, () => {
  let service: Versitygw;
  let store: BlobStore;

  const open = async (secret: string): Promise<BlobStore> =>
    await openBlobStore(service.blobStoreUrl('restarts'), {
      AWS_ACCESS_KEY_ID: service.accessKeyId,
      AWS_SECRET_ACCESS_KEY: secret,
    });

  before(
    async () => {
      service = await startVersitygw();
      store = await open(service.secretAccessKey);
    },
    { timeout: START_DEADLINE_MS },
  );
  after(async () => {
    await store?.close();
    await service?.close();
  });

  it('waits for a service that restarts, for a put and for a get', async () => {
    const bytes = randomBytes(400_000);
    const { id } = await store.put(bytes);
    await service.kill();
    const more = randomBytes(400_000);
    const [put, get] = [store.put(more), store.get(id)];
    await service.restart();
    assert.equal(Buffer.compare(await get, bytes), 0);
    assert.equal(Buffer.compare(await store.get((await put).id), more), 0);
  });

  it('takes a stream up again where the service broke it off', async () => {
    const bytes = randomBytes(LARGE_BYTES);
    const { id } = await store.put(bytes);
    const chunks: Uint8Array[] = [];
    let broken = false;
    for await (const chunk of store.stream(id)) {
      chunks.push(chunk);
      if (broken) continue;
      broken = true;
      await service.kill();
      await service.restart();
    }
    assert.equal(Buffer.compare(Buffer.concat(chunks), bytes), 0);
  });

  it('says BlobStoreUnavailable when its keys are refused', async () => {
    const stranger = await open('not-the-secret');
    try {
      await assert.rejects(stranger.put(randomBytes(10)), BlobStoreUnavailable);
    } finally {
      await stranger.close();
    }
  });
});
