// What is fetched and built once lies outside the tree, named by the hash of what it was made from.
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';

const HASH_CHARACTERS = 12;

/** The folder of everything cached: CELLPOST_CACHE, or ~/.cache/cellpost. */
export function cacheFolder(): string {
  return process.env.CELLPOST_CACHE || join(homedir(), '.cache', 'cellpost');
}

/**
 * A file or folder of the cache, which `make` makes when it is not there. It appears under its name only when it is
 * whole; of two makers at once the first wins.
 * @param path absolute
 * @param make gets the path to make it at, in a new folder beside the final one
 */
export async function cached(path: string, make: (path: string) => Promise<void>): Promise<string> {
  if (await exists(path)) {
    const now = new Date();
    // Keeps what is in use from `keepNewest`.
    await utimes(path, now, now).catch(() => undefined);
    return path;
  }
  await mkdir(dirname(path), { recursive: true });
  const work = await mkdtemp(join(dirname(path), '.making-'));
  try {
    const made = join(work, basename(path));
    await make(made);
    await rename(made, path).catch(async (error: unknown) => {
      if (!(await exists(path))) throw error;
    });
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes all but the newest entries of a folder whose names begin with the prefix. */
export async function keepNewest(folder: string, prefix: string, count: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix));
  const dated = await Promise.all(
    names.map(async (name) => ({
      path: join(folder, name),
      time: await stat(join(folder, name)).then(
        (found) => found.mtimeMs,
        () => 0,
      ),
    })),
  );
  dated.sort((a, b) => b.time - a.time);
  for (const { path } of dated.slice(count)) await rm(path, { recursive: true, force: true });
}

/** A short hash of texts. */
export function hashOf(...texts: string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}:`).update(text);
  return hash.digest('hex').slice(0, HASH_CHARACTERS);
}

/** A short hash of the names and contents of files, whatever their order. */
export async function hashOfFiles(root: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) {
    const content = await readFile(file);
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, HASH_CHARACTERS);
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
