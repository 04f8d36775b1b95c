// The cluster of the end-to-end tests, with Cellpost and its sample cells on it. The first test file that asks brings
// it up; the others find it; leaves-nothing.test.ts, which is last, takes it down again if it is theirs.
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../../images/cache.ts';
import { ensureCluster, findCluster, type Cluster } from '../../cluster/cluster.ts';
import { leftovers, type Leftovers } from '../../cluster/leftovers.ts';
import { applySamples, installChart, untilCellsReady } from '../../cluster/install.ts';

/** What was on this machine before the tests started a cluster; it is there as long as theirs runs. */
const BEFORE = join(cacheFolder(), 'e2e-before.json');

export async function installedCluster(): Promise<Cluster> {
  let cluster = await findCluster();
  if (!cluster) {
    await mkdir(dirname(BEFORE), { recursive: true });
    await writeFile(BEFORE, JSON.stringify(await leftovers()));
    cluster = await ensureCluster();
  }
  await installChart(cluster, await cluster.loadImages());
  await applySamples(cluster);
  await untilCellsReady(cluster, ['a', 'b']);
  return cluster;
}

/** True when a cluster runs that the tests didn't start. */
export async function othersClusterRuns(): Promise<boolean> {
  if (!(await findCluster())) return false;
  return await access(BEFORE).then(
    () => false,
    () => true,
  );
}

/** What was here before the tests started their cluster; undefined when they started none. Forgets it. */
export async function takeBefore(): Promise<Leftovers | undefined> {
  const text = await readFile(BEFORE, 'utf8').catch(() => undefined);
  await rm(BEFORE, { force: true });
  return text === undefined ? undefined : (JSON.parse(text) as Leftovers);
}
