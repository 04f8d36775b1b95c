// Writes a whole log to the platform, entry by entry as it was: for a user who is not there.
import { text } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { copyBlob } from '../../workloads/common/blobs/copy-blob.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { UnexpectedAnswer } from '../../workloads/common/cell-client/errors.ts';
import { encodeRow, type TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { blobsOf } from './blob-references.ts';
import { decodeEntry } from './log-client.ts';

/** Entries and bodies of one request; the last entry may take it above by its own size. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Blobs that are known to have been copied already. */
const MAX_COPIED = 10_000;

/** The platform has another log of this key. */
export class LogExists extends Error {
  override name = 'LogExists';
}

/**
 * Appends entries from the first on. Entries that are there already, the same, are passed over: so a copy that was
 * interrupted is taken up by beginning again.
 * @param blobs where the bytes are that the entries refer to; undefined when the platform has them
 * @throws LogExists when the key has other entries
 */
export async function appendLog(
  target: { cells: Cells; blobs: BlobStore },
  key: string,
  rows: AsyncIterable<TransferRow>,
  options: {
    blobs: BlobStore | undefined;
    onRow: (row: TransferRow, actions: readonly Action[]) => void;
  },
): Promise<void> {
  await target.cells.assign(key);
  const copied = new LRUCache<string, true>({ max: MAX_COPIED });
  let batch: Buffer[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await post(target.cells, key, 'entries', Buffer.concat(batch));
    batch = [];
    size = 0;
  };
  for await (const row of rows) {
    const { actions } = decodeEntry(row);
    // A reference must never be durable before what it refers to.
    for (const id of options.blobs ? blobsOf(actions) : []) {
      if (options.blobs && !copied.has(id)) await copyBlob(options.blobs, target.blobs, id);
      copied.set(id, true);
    }
    const bytes = encodeRow(row);
    batch.push(bytes);
    size += bytes.length;
    if (size >= BATCH_BYTES) await flush();
    options.onRow(row, actions);
  }
  await flush();
  // It may say that it was moved to a cell of another platform, or to one that is not the one it came to here.
  await post(target.cells, key, 'adopt', new Uint8Array());
}

async function post(cells: Cells, key: string, what: 'entries' | 'adopt', body: Uint8Array): Promise<void> {
  const path = `/logs/${encodeURIComponent(key)}/${what}`;
  const response = await cells.request(key, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/octet-stream' },
    body,
    idempotent: true,
  });
  const answer = await text(response.body);
  if (response.status === 409) throw new LogExists(`The platform has another log of ${key}.`);
  if (response.status >= 300) throw new UnexpectedAnswer(`POST ${path}`, response.status, answer);
}
