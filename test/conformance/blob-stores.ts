// The blob stores that test/conformance/blob-store.test.ts runs against.
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { versitygwMissing } from '../../images/go-program.ts';
import { startVersitygw } from '../real/versitygw.ts';

export type BlobStoreUnderTest = {
  /** Another store over the same blobs, as another process would have it. The suite closes it. */
  open(): Promise<BlobStore>;
  /** Damages a blob behind the store's back: its bytes become these. */
  damage(id: string, bytes: Uint8Array): Promise<void>;
  /** Makes a blob older than it is, set aside or not. */
  age(id: string, byMs: number): Promise<void>;
  /** How many temporary things there are: none but those of writers at work. */
  countLeftovers(): Promise<number>;
  close(): Promise<void>;
};

export type BlobStoreMaker = {
  name: string;
  skip: string | undefined;
  start(): Promise<BlobStoreUnderTest>;
};

const pathOf = (root: string, id: string): string => join(root, id.slice(0, 2), id.slice(2, 4), id);

/** One of them may not be there, or go at this moment. */
async function age(paths: string[], byMs: number): Promise<void> {
  const then = new Date(Date.now() - byMs);
  for (const path of paths) await utimes(path, then, then).catch(() => undefined);
}

const files: BlobStoreMaker = {
  name: 'files',
  skip: undefined,
  start: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cellpost-blobs-'));
    const root = join(folder, 'blobs');
    return {
      open: async () => await openBlobStore(`file:${root}`, {}),
      damage: async (id, bytes) => await writeFile(pathOf(root, id), bytes),
      age: async (id, byMs) => await age([pathOf(root, id), pathOf(join(root, 'retired'), id)], byMs),
      countLeftovers: async () => (await readdir(join(root, 'tmp'))).length,
      close: async () => await rm(folder, { recursive: true, force: true }),
    };
  },
};

const s3: BlobStoreMaker = {
  name: 'S3 (versitygw)',
  skip: await versitygwMissing(),
  start: async () => {
    const service = await startVersitygw();
    const env = { AWS_ACCESS_KEY_ID: service.accessKeyId, AWS_SECRET_ACCESS_KEY: service.secretAccessKey };
    const bucket = 'cellpost-blobs';
    return {
      open: async () => await openBlobStore(service.blobStoreUrl(bucket), env),
      damage: async (id, bytes) => await writeFile(join(service.folder, bucket, id), bytes),
      age: async (id, byMs) => {
        const folder = join(service.folder, bucket);
        await age([join(folder, id), join(folder, 'retired', id)], byMs);
      },
      countLeftovers: async () =>
        (await readdir(tmpdir())).filter((name) => name.startsWith(`cellpost-spool-${process.pid}-`)).length,
      close: async () => await service.close(),
    };
  },
};

export const BLOB_STORES: BlobStoreMaker[] = [files, s3];
