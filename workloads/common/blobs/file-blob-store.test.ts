// What is special to blobs in files; what every blob store promises is in test/conformance/blob-store.test.ts.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ConfigError } from '../config/env.ts';
import { openFileBlobStore } from './file-blob-store.ts';
import { openBlobStore } from './open-blob-store.ts';

describe('blobs in files', () => {
  it('removes old temporary files of crashed writers when it is opened, and no young ones', async () => {
    const root = await mkdtemp(join(tmpdir(), 'cellpost-blobs-'));
    try {
      await mkdir(join(root, 'tmp'));
      await writeFile(join(root, 'tmp', 'old'), 'x');
      await writeFile(join(root, 'tmp', 'young'), 'x');
      const longAgo = new Date(Date.now() - 48 * 60 * 60 * 1000);
      await utimes(join(root, 'tmp', 'old'), longAgo, longAgo);
      await (await openFileBlobStore(root)).close();
      assert.deepEqual(await readdir(join(root, 'tmp')), ['young']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('CELLPOST_BLOB_STORE', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

  it('is refused with one sentence when it names no store', async () => {
    for (const url of ['', 'file:', '/path', 'http://x', 's3://bucket', 's3://bucket?endpoint=nowhere'])
      await assert.rejects(openBlobStore(url, keys), {
        name: 'ConfigError',
        message: /^CELLPOST_BLOB_STORE: .+/,
      });
  });

  it('needs keys for S3', async () => {
    await assert.rejects(openBlobStore('s3://b?endpoint=http://127.0.0.1:1', {}), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /AWS_ACCESS_KEY_ID/);
      return true;
    });
    await (await openBlobStore('s3://b?endpoint=http://127.0.0.1:1', keys)).close();
  });
});
