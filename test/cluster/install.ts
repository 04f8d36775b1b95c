// Puts Cellpost on a cluster as a user would: the chart by helm, then a Platform and cells.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from '../../images/progress.ts';
import { until } from '../support/wait.ts';
import type { Cluster, ImageReferences } from './cluster.ts';

export const NAMESPACE = 'cellpost';
const CHART = fileURLToPath(new URL('../../charts/cellpost', import.meta.url));
/** The chart's own folder of them is a link, which kubectl doesn't follow. */
const CRDS = fileURLToPath(new URL('../../crds', import.meta.url));
const SAMPLES = join(CHART, 'samples');
/** Seven JVMs and some Node processes come up, perhaps on two cores. */
const READY_TIMEOUT_MS = 900_000;

/** Pods have to pass the strictest Pod Security level. */
const NAMESPACE_OBJECT = `apiVersion: v1
kind: Namespace
metadata: { name: ${NAMESPACE}, labels: { pod-security.kubernetes.io/enforce: restricted } }
`;

/**
 * Installs or upgrades the chart.
 * @param images what was loaded; undefined: the chart's own references
 * @param more further arguments for helm, such as ['--values', 'file.yaml']
 */
export async function installChart(
  cluster: Cluster,
  images: ImageReferences | undefined,
  more: readonly string[] = [],
): Promise<void> {
  await cluster.kubectl(['apply', '-f', '-'], { input: NAMESPACE_OBJECT });
  // helm makes CRDs only at the first installation, and never changes them.
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', CRDS]);
  const values = images && {
    images: { cellpost: images.cellpost, hbase: images.hbase, memcached: images.memcached },
    s3: { enabled: true, image: images.versitygw },
    operator: { replicas: 1 },
  };
  const file = join(dirname(cluster.kubeconfig), 'values.json');
  if (values) await writeFile(file, JSON.stringify(values, null, 2));
  const own = values ? ['--values', file] : [];
  const args = ['upgrade', '--install', 'cellpost', CHART, '--namespace', NAMESPACE, '--skip-crds'];
  await cluster.helm([...args, ...own, ...more, '--wait', '--timeout', '10m'], {
    timeoutMs: READY_TIMEOUT_MS,
  });
  say('the operator runs');
}

/** Has a platform that was made by another build run this one: an upgrade of the operator leaves it what it runs. */
export async function runImages(cluster: Cluster, images: ImageReferences | undefined): Promise<void> {
  if (!images) return;
  const { cellpost, hbase, memcached } = images;
  const of = ['platform', 'cellpost', '-n', NAMESPACE];
  const path = 'jsonpath={.status.images.cellpost} {.status.images.hbase} {.status.images.memcached}';
  const seen = await cluster.kubectl(['get', ...of, '--ignore-not-found', '-o', path]);
  if (seen.trim() === '' || seen === `${cellpost} ${hbase} ${memcached}`) return;
  const patch = JSON.stringify({ spec: { images: { cellpost, hbase, memcached } } });
  await cluster.kubectl(['patch', ...of, '--type=merge', '-p', patch]);
  // Cells that serve keep the image of HBase that they have.
  const cells = await cluster.kubectl(['get', 'cells', '-n', NAMESPACE, '-o', 'name']);
  const own = JSON.stringify({ spec: { images: { hbase } } });
  for (const cell of cells
    .trim()
    .split('\n')
    .filter((name) => name !== ''))
    await cluster.kubectl(['patch', cell, '-n', NAMESPACE, '--type=merge', '-p', own]);
  say('the platform goes to the new images');
}

/** Applies the chart's samples: the named ones, by default a platform and two cells. */
export async function applySamples(cluster: Cluster, names?: readonly string[]): Promise<void> {
  for (const name of names ?? (await readdir(SAMPLES)).sort()) {
    await cluster.kubectl(['apply', '-f', '-'], { input: await readFile(join(SAMPLES, name), 'utf8') });
    say(`applied ${name}`);
  }
}

type CellSummary = {
  metadata: { name: string };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
};

/**
 * Waits until the named cells are ready, any one when none is named, and tells their phases as they change.
 * @throws after 15 minutes, with what kubectl says of cells and pods
 */
export async function untilCellsReady(cluster: Cluster, names: readonly string[] = []): Promise<void> {
  const told = new Map<string, string>();
  const ask = async (): Promise<boolean> => {
    const text = await cluster.kubectl(['get', 'cells', '-n', NAMESPACE, '-o', 'json']);
    const { items } = JSON.parse(text) as { items: CellSummary[] };
    for (const { metadata, status } of items) {
      const phase = status?.phase ?? 'not looked at yet';
      if (told.get(metadata.name) !== phase) say(`cell ${metadata.name}: ${phase}`);
      told.set(metadata.name, phase);
    }
    const ready = items.filter(isReady).map(({ metadata }) => metadata.name);
    return names.length === 0 ? ready.length > 0 : names.every((name) => ready.includes(name));
  };
  try {
    await until(ask, { timeoutMs: READY_TIMEOUT_MS, intervalMs: 500, what: 'ready cells' });
  } catch (error) {
    const pods = await cluster.kubectl(['get', 'cells,platforms,pods', '-n', NAMESPACE]).catch(String);
    throw new Error(`No ready cell.\n${pods}`, { cause: error });
  }
}

const isReady = ({ status }: CellSummary): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
