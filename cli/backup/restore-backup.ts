// Brings users of a backup back to a platform that does not have them: the same ids, messages and states.
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { addressKey, userKey } from '../../workloads/common/keys.ts';
import { AddressInUse, assertAddressesFree, claimAddresses } from '../export/import-user.ts';
import { appendLog, LogExists } from '../log/append-log.ts';
import { decodeEntry } from '../log/log-client.ts';
import { merged } from '../merged.ts';
import type { Progress } from '../progress.ts';
import { findRecord, readIndex } from './index-files.ts';
import { BadBackup, type IndexRecord } from './index-record.ts';
import type { Manifest } from './manifest.ts';
import { readLog } from './segments.ts';

const PARALLEL_USERS = 8;

export type RestoreOptions = {
  cells: Cells;
  /** The platform's blobs. */
  blobs: BlobStore;
  /** Where the backup is; may be the same store. */
  source: BlobStore;
  manifest: Manifest;
};

export type RestoreResult = {
  id: string;
  users: number;
  entries: number;
  addresses: number;
  /** Who was left out, and why: mostly the platform has somebody of that address. */
  skipped: { key: string; why: string }[];
};

type Restored = { entries: number; addresses: number } | { key: string; why: string };

/**
 * Restores one user. May be repeated after it was interrupted.
 * @throws when the backup has nobody of that address, or the platform has the user or the address
 */
export async function restoreUser(
  options: RestoreOptions,
  address: string,
  progress: Progress,
): Promise<RestoreResult> {
  const { source, manifest } = options;
  const found = await findRecord(source, manifest, addressKey(address));
  const userId = found && (await readOwner(source, found));
  const user = userId === undefined ? undefined : await findRecord(source, manifest, userKey(userId));
  if (!user) throw new Error(`Backup ${manifest.id} has nobody of the address ${address}.`);
  progress.total(user.head);
  const { entries, addresses } = await restoreLog(options, user, () => progress.add(1));
  return { id: manifest.id, users: 1, entries, addresses, skipped: [] };
}

/** @throws AddressInUse, LogExists, BadBackup */
async function restoreLog(
  { cells, blobs, source }: RestoreOptions,
  record: IndexRecord,
  onEntry: () => void = () => {},
): Promise<{ entries: number; addresses: number }> {
  const user = await readUser(source, record);
  if (!user) throw new BadBackup(`${record.key} is the log of no user`);
  const { userId, addresses } = user;
  const [login, ...others] = addresses;
  await assertAddressesFree(cells, login === undefined ? [] : [login], userId);
  await appendLog({ cells, blobs }, record.key, readLog(source, record), {
    blobs: source === blobs ? undefined : source,
    onRow: onEntry,
  });
  if (login !== undefined) await claimAddresses(cells, [login], userId);
  // What was given to somebody else since stays theirs.
  for (const address of others)
    if (!(await cells.claimAddress(address, userId))) await cells.aliases.drop(userId, address);
  return { entries: record.head, addresses: addresses.length };
}

/** Gives an address to the user who had it, if that user is there. */
async function restoreAddress(cells: Cells, source: BlobStore, record: IndexRecord): Promise<Restored> {
  const none = { entries: 0, addresses: 0 };
  const address = record.key.slice(addressKey('').length);
  const userId = await readOwner(source, record);
  if (userId === undefined) return none;
  const owner = await cells.resolveAddress(address);
  if (owner === userId) return none;
  // A user who is there may have let go of it.
  if (!(await cells.aliases.list(userId))?.includes(address)) return none;
  if (owner === undefined && (await cells.claimAddress(address, userId))) return { ...none, addresses: 1 };
  return { key: record.key, why: `The address ${address} belongs to another user.` };
}

/** What only this user suffers from. @throws any other error */
function skipped(key: string, error: unknown): Restored {
  if (error instanceof AddressInUse || error instanceof LogExists || error instanceof BadBackup)
    return { key, why: error.message };
  throw error;
}

/** @returns whose an address was at last */
async function readOwner(source: BlobStore, record: IndexRecord): Promise<string | undefined> {
  let userId: string | undefined;
  for await (const row of readLog(source, record))
    for (const action of decodeEntry(row).actions)
      if (action.type === 'addressAssigned' || action.type === 'addressMoved') userId = action.userId;
      else if (action.type === 'addressReleased') userId = undefined;
  return userId;
}

/** Who it is, and the addresses at last. */
async function readUser(
  source: BlobStore,
  record: IndexRecord,
): Promise<{ userId: string; addresses: string[] } | undefined> {
  let user: { userId: string; addresses: string[] } | undefined;
  for await (const row of readLog(source, record)) {
    for (const action of decodeEntry(row).actions) {
      if (action.type === 'userCreated') user = { userId: action.userId, addresses: action.addresses };
      else if (action.type === 'addressesChanged' && user) user = { ...user, addresses: action.addresses };
    }
  }
  return user;
}

/** Restores everybody whom the platform does not have. May be repeated after it was interrupted. */
export async function restoreAll(options: RestoreOptions, progress: Progress): Promise<RestoreResult> {
  const { source, manifest, cells } = options;
  const result: RestoreResult = { id: manifest.id, users: 0, entries: 0, addresses: 0, skipped: [] };
  progress.total(manifest.keys);
  // Users first, then the addresses that were given to them later: a user is found when the log is whole.
  for (const prefix of ['user:', 'address:']) {
    async function* records(): AsyncGenerator<IndexRecord> {
      for await (const record of readIndex(source, manifest)) if (record.key.startsWith(prefix)) yield record;
    }
    async function* restore(record: IndexRecord): AsyncGenerator<Restored> {
      yield prefix === 'user:'
        ? await restoreLog(options, record).catch((error: unknown) => skipped(record.key, error))
        : await restoreAddress(cells, source, record);
    }
    for await (const restored of merged(records(), PARALLEL_USERS, restore)) {
      progress.add(1);
      if ('why' in restored) result.skipped.push(restored);
      else {
        if (prefix === 'user:') result.users++;
        result.entries += restored.entries;
        result.addresses += restored.addresses;
      }
    }
  }
  return result;
}
