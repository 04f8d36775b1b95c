// Reads back what exportUser wrote: the same log, so the same ids and states.
import { join } from 'node:path';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { openFileBlobStore } from '../../workloads/common/blobs/file-blob-store.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { appendLog } from '../log/append-log.ts';
import type { Progress } from '../progress.ts';
import { checkDump, readDump } from './dump-reader.ts';
import { BLOB_FOLDER, LOG_FILE } from './export-user.ts';

export type ImportResult = { userId: string; addresses: string[]; seq: number };

/**
 * The user gets back its id and addresses, which must be free. May be repeated after it was interrupted.
 * @throws BadDump; AddressInUse; LogExists when the platform has this user already, with another history
 */
export async function importUser(
  target: { cells: Cells; blobs: BlobStore },
  folder: string,
  progress: Progress,
): Promise<ImportResult> {
  const path = join(folder, LOG_FILE);
  const { header, rows } = await checkDump(path);
  const { userId, addresses } = header;
  await assertAddressesFree(target.cells, addresses, userId);
  progress.total(rows);
  const blobs = await openFileBlobStore(join(folder, BLOB_FOLDER));
  try {
    await appendLog(target, userKey(userId), readDump(path), { blobs, onRow: () => progress.add(1) });
  } finally {
    await blobs.close();
  }
  // Last: nobody finds the user before the log is whole.
  await claimAddresses(target.cells, addresses, userId);
  return { userId, addresses, seq: rows };
}

/** An address belongs to another user of the platform. */
export class AddressInUse extends Error {
  override name = 'AddressInUse';
  constructor(address: string, userId: string) {
    super(`The address ${address} belongs to another user than ${userId}.`);
  }
}

/** @throws AddressInUse */
export async function assertAddressesFree(
  cells: Cells,
  addresses: readonly string[],
  userId: string,
): Promise<void> {
  for (const address of addresses) {
    const owner = await cells.resolveAddress(address);
    if (owner !== undefined && owner !== userId) throw new AddressInUse(address, userId);
  }
}

/** @throws AddressInUse */
export async function claimAddresses(
  cells: Cells,
  addresses: readonly string[],
  userId: string,
): Promise<void> {
  for (const address of addresses)
    if (!(await cells.claimAddress(address, userId))) throw new AddressInUse(address, userId);
}
