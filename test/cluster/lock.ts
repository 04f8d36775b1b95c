// One program at a time brings a cluster up or down.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder, exists } from '../../images/cache.ts';
import { say } from '../../images/progress.ts';
import { until } from '../support/wait.ts';

/** Another may be building Kubernetes for the first time. */
const WAIT_MS = 1_800_000;

/** @throws when another program has held the lock for half an hour */
export async function withClusterLock<T>(work: () => Promise<T>): Promise<T> {
  const path = join(cacheFolder(), 'cluster.lock');
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  const take = async (): Promise<boolean> => {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim();
    // An empty file: the holder is about to write its number.
    if (holder && !(await exists(`/proc/${holder}`))) await rm(path, { force: true });
    else if (!told) say(`waiting for process ${holder}, which brings a cluster up or down`);
    told = true;
    return false;
  };
  await until(take, {
    timeoutMs: WAIT_MS,
    intervalMs: 200,
    what: 'another program that works on the cluster',
  });
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
