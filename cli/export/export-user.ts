// A user in a folder: the log, the blobs that it names, and the mailboxes as mbox files.
//   log.cellpost      every entry with its bodies: dump.proto
//   blobs/            as a blob store in files has them
//   mbox/<path>.mbox  what is in the mailboxes at the log's last entry; for any mail program
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { emailId, ordinal } from '../../workloads/app-server/image/ids.ts';
import type { MessageAdded } from '../../workloads/app-server/log/actions.ts';
import { Contents } from '../../workloads/app-server/logic/contents.ts';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { copyBlob } from '../../workloads/common/blobs/copy-blob.ts';
import { openFileBlobStore } from '../../workloads/common/blobs/file-blob-store.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { blobsOf } from '../log/blob-references.ts';
import { decodeEntry, readEntries, readHead, type LogSource } from '../log/log-client.ts';
import type { Progress } from '../progress.ts';
import { DumpWriter, type RowPlace } from './dump-writer.ts';
import { writeMailboxes, type MailboxMessage } from './write-mailboxes.ts';

export const LOG_FILE = 'log.cellpost';
export const BLOB_FOLDER = 'blobs';
const MBOX_FOLDER = 'mbox';

export type ExportResult = {
  userId: string;
  addresses: string[];
  /** The last entry that is in it. */
  seq: number;
  emails: number;
  mailboxes: number;
  blobs: number;
  folder: string;
};

/** What is kept of each message until its turn comes: little, as there may be hundreds of thousands. */
type Kept = MailboxMessage & Pick<MessageAdded, 'body'> & { row: RowPlace };

/** @throws when the folder is not empty, or there is no such user */
export async function exportUser(
  options: { source: LogSource & Pick<Cells, 'aliases'>; blobs: BlobStore; userId: string; folder: string },
  progress: Progress,
): Promise<ExportResult> {
  const { source, blobs, userId, folder } = options;
  const key = userKey(userId);
  const head = await readHead(source, key);
  if (!head) throw new Error(`There is no user ${userId}.`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty.`);
  progress.total(head.seq);

  await using resources = new AsyncDisposableStack();
  const copies = await openFileBlobStore(join(folder, BLOB_FOLDER));
  resources.defer(() => copies.close());
  const addresses = (await source.aliases.list(userId)) ?? [];
  const dump = await DumpWriter.create(join(folder, LOG_FILE), { userId, addresses, madeAtMs: Date.now() });
  resources.defer(() => dump.close());

  const contents = new Contents();
  const kept = new Map<string, Kept>();
  let copied = 0;
  for await (const row of readEntries(source, key, { to: head.seq })) {
    const place = await dump.row(row);
    const { actions } = decodeEntry(row);
    for (const id of new Set(blobsOf(actions))) {
      if ((await copies.size(id)) !== undefined) continue;
      await copyBlob(blobs, copies, id);
      copied++;
    }
    for (const [index, action] of actions.entries()) {
      const at = { seq: row.seq, index };
      contents.apply(action, at);
      if (action.type === 'messageDestroyed') kept.delete(action.emailId);
      if (action.type !== 'messageAdded') continue;
      const { body, receivedAtMs, envelope } = action;
      kept.set(emailId(ordinal(at)), { body, receivedAtMs, sender: envelope.mailFrom, row: place });
    }
    progress.add(1);
  }
  const bytesOf = async ({ body, row }: Kept): Promise<Uint8Array> => {
    if (body.kind === 'blob') return await copies.get(body.sha256);
    const found = (await dump.read(row)).bodies.find(({ index }) => index === body.index);
    if (!found) throw new Error(`the log of ${userId} lacks a body`);
    return found.bytes;
  };
  await writeMailboxes(join(folder, MBOX_FOLDER), contents, kept, bytesOf);
  await dump.finish();
  return {
    userId,
    addresses,
    seq: head.seq,
    emails: contents.emails.size,
    mailboxes: contents.mailboxes.size,
    blobs: copied,
    folder,
  };
}
