// The blob store that CELLPOST_BLOB_STORE names.
import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, readEnvironment, type Environment } from '../config/env.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import type { BlobStore } from './blob-store.ts';
import { measuredBlobStore } from './measured-blob-store.ts';

const keys = z.object({ AWS_ACCESS_KEY_ID: z.string(), AWS_SECRET_ACCESS_KEY: z.string() });

/**
 * @param url `file:/path` or `s3://bucket?endpoint=http://host:port&region=us-east-1`
 * @param env holds AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or `…_FILE`) for an S3 service
 * @param options.setting what the URL comes from, for people who have to mend it
 * @param options.metrics times the store's calls
 * @throws ConfigError; BlobStoreUnavailable when the folder can't be used. An S3 service may be away: calls find that out.
 */
export async function openBlobStore(
  url: string,
  env: Environment,
  options: { setting?: string; metrics?: WorkloadMetrics } = {},
): Promise<BlobStore> {
  const store = await open(url, env, options.setting ?? 'CELLPOST_BLOB_STORE');
  return options.metrics ? measuredBlobStore(store, options.metrics) : store;
}

async function open(url: string, env: Environment, setting: string): Promise<BlobStore> {
  const path = /^file:(.+)$/.exec(url)?.[1];
  if (path) {
    const { openFileBlobStore } = await import('./file-blob-store.ts');
    return await openFileBlobStore(resolve(path));
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 's3:' || !parsed.hostname)
    throw new ConfigError(
      `${setting}: ${JSON.stringify(url)} is neither file:/path nor s3://bucket?endpoint=http://host:port`,
    );
  const endpoint = parsed.searchParams.get('endpoint') ?? '';
  if (!/^https?:\/\/[^/]+\/?$/.test(endpoint))
    throw new ConfigError(`${setting}: an S3 service needs endpoint=http://host:port`);
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = readEnvironment(keys, env);
  const { openS3BlobStore } = await import('./s3-blob-store.ts');
  return openS3BlobStore({
    bucket: parsed.hostname,
    endpoint: endpoint.replace(/\/$/, ''),
    region: parsed.searchParams.get('region') ?? 'us-east-1',
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
  });
}
