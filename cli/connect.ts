// How cellctl finds the platform: by CELLPOST_DISCOVERY_URL and CELLPOST_PLATFORM_TOKEN[_FILE], else by the note that
// an embedded platform leaves in its data folder. Its blobs likewise: CELLPOST_BLOB_STORE, or the data folder's.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { blobStoreUrl, readNote } from '../embedded/home.ts';
import type { BlobStore } from '../workloads/common/blobs/blob-store.ts';
import { openBlobStore } from '../workloads/common/blobs/open-blob-store.ts';
import { openCells, type Cells } from '../workloads/common/cell-client/cells.ts';
import { ConfigError, readEnvironment } from '../workloads/common/config/env.ts';
import { createLogger } from '../workloads/common/log.ts';

const variables = z.object({
  CELLPOST_DISCOVERY_URL: z.url().optional(),
  CELLPOST_PLATFORM_TOKEN: z.string().optional(),
  CELLPOST_HOME: z.string().default('.cellpost'),
  CELLPOST_BLOB_STORE: z.string().optional(),
  CELLPOST_CONSOLE_URL: z.url().optional(),
});

type Target = { discoveryUrl: string; token: string };
/** Where the console is, if it is anywhere. */
type FoundTarget = Target & { consoleUrl: string | undefined };

/** Runs a command with a connection to the platform, and closes it. @throws ConfigError when there is none */
export async function withCells<T>(work: (cells: Cells) => Promise<T>): Promise<T> {
  const cells = await openCells({ ...findPlatform(), logger: createLogger('cellctl', 'silent') });
  try {
    return await work(cells);
  } finally {
    await cells.close();
  }
}

/** The URL of the platform's blob store. @throws ConfigError when it is not known */
function findBlobStore(): string {
  const values = readEnvironment(variables, process.env);
  if (values.CELLPOST_BLOB_STORE) return values.CELLPOST_BLOB_STORE;
  if (values.CELLPOST_DISCOVERY_URL)
    throw new ConfigError('This needs the blobs, too: set CELLPOST_BLOB_STORE as the app servers have it.');
  return blobStoreUrl(resolve(values.CELLPOST_HOME));
}

/** Runs a command with the platform's blob store, and closes it. @throws ConfigError */
export async function withBlobs<T>(work: (blobs: BlobStore) => Promise<T>): Promise<T> {
  const blobs = await openBlobStore(findBlobStore(), process.env);
  try {
    return await work(blobs);
  } finally {
    await blobs.close();
  }
}

/**
 * Runs a command with the store that holds backups, and closes it.
 * @param url the platform's own blob store if undefined
 * @param blobs the platform's blob store, where it is open already: the same store is the same object
 * @throws ConfigError
 */
export async function withBackups<T>(
  url: string | undefined,
  blobs: BlobStore | undefined,
  work: (store: BlobStore) => Promise<T>,
): Promise<T> {
  if (blobs && (url === undefined || isSameStore(url, findBlobStore()))) return await work(blobs);
  const store = await openBlobStore(url ?? findBlobStore(), process.env, { setting: 'The place of backups' });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function isSameStore(a: string, b: string): boolean {
  const name = (url: string): string => {
    const path = /^file:(.+)$/.exec(url)?.[1];
    if (path !== undefined) return resolve(path);
    if (!URL.canParse(url)) return url;
    const { hostname, searchParams } = new URL(url);
    return `${hostname} ${searchParams.get('endpoint')?.replace(/\/$/, '')}`;
  };
  return name(a) === name(b);
}

/** @throws ConfigError when it is not known */
export function findConsole(): { url: string; token: string } {
  const { consoleUrl, token } = findPlatform();
  if (consoleUrl === undefined)
    throw new ConfigError('This asks the console: set CELLPOST_CONSOLE_URL beside CELLPOST_DISCOVERY_URL.');
  return { url: consoleUrl.replace(/\/+$/, ''), token };
}

function findPlatform(): FoundTarget {
  const values = readEnvironment(variables, process.env);
  if (values.CELLPOST_DISCOVERY_URL) {
    if (!values.CELLPOST_PLATFORM_TOKEN) {
      throw new ConfigError(
        'CELLPOST_DISCOVERY_URL needs CELLPOST_PLATFORM_TOKEN or CELLPOST_PLATFORM_TOKEN_FILE beside it.',
      );
    }
    return {
      discoveryUrl: values.CELLPOST_DISCOVERY_URL,
      token: values.CELLPOST_PLATFORM_TOKEN,
      consoleUrl: values.CELLPOST_CONSOLE_URL,
    };
  }
  const home = resolve(values.CELLPOST_HOME);
  const note = readNote(home);
  if (!note) {
    throw new ConfigError(
      `No platform runs from ${home}: start one with npm start, or set CELLPOST_HOME or CELLPOST_DISCOVERY_URL.`,
    );
  }
  return {
    discoveryUrl: note.discoveryUrl,
    token: readFileSync(join(home, 'token'), 'utf8').trim(),
    consoleUrl: note.consoleUrl,
  };
}
