// How programs are told of the blob store.
import type { Platform } from './types.ts';

/** `s3://bucket?endpoint=…&region=…`; the keys go by the environment. */
export function blobStoreUrl({ s3 }: Platform['spec']['blobStore']): string {
  const query = new URLSearchParams({ endpoint: s3.endpoint, region: s3.region });
  return `s3://${s3.bucket}?${query}`;
}
