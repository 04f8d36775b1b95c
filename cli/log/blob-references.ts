// Which blobs the logs of the platform refer to.
import type { Action } from '../../workloads/app-server/log/actions.ts';
import type { BlobId } from '../../workloads/common/blobs/blob-store.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { merged } from '../merged.ts';
import { listKeys } from './keys.ts';
import { decodeEntry, readEntries } from './log-client.ts';

/** Logs that are read at once. */
const PARALLEL_LOGS = 16;
/** Ids of a log that are handed on together. */
const PAGE = 1_000;

/** The blob of each message whose bytes are not in the log itself. */
export function blobsOf(actions: readonly Action[]): BlobId[] {
  return actions.flatMap((action) =>
    action.type === 'messageAdded' && action.body.kind === 'blob' ? [action.body.sha256] : [],
  );
}

/**
 * Every blob that any entry of any log refers to, also of messages that were destroyed since. Reads all logs of all cells.
 * @param onKey is called with each log that was read
 * @throws when one of them can't be read: then nothing is known of what refers to a blob
 */
export async function* readBlobReferences(cells: Cells, onKey: () => void): AsyncGenerator<BlobId> {
  async function* keys(): AsyncGenerator<string> {
    for (const cell of await cells.cellNames())
      for await (const page of listKeys(cells, cell)) yield* page.filter((key) => key.startsWith('user:'));
  }
  async function* references(key: string): AsyncGenerator<BlobId[]> {
    let page: BlobId[] = [];
    for await (const row of readEntries(cells, key, { bodies: false })) {
      page.push(...blobsOf(decodeEntry(row).actions));
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    yield page;
    onKey();
  }
  for await (const page of merged(keys(), PARALLEL_LOGS, references)) yield* page;
}
