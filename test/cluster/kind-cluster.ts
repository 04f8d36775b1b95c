// Kubernetes in a container, by kind: where a Docker engine runs.
import { glob, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, hashOfFiles } from '../../images/cache.ts';
import { sourceFiles } from '../../images/cellpost/layers.ts';
import { command } from '../../images/command.ts';
import { say } from '../../images/progress.ts';
import type { Cluster } from './cluster.ts';
import { clusterTools } from './tools.ts';

const NAME = 'cellpost';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_TIMEOUT_MS = 1_800_000;

async function kubeconfigPath(): Promise<string> {
  const folder = join(cacheFolder(), 'kind');
  await mkdir(folder, { recursive: true });
  return join(folder, 'kubeconfig');
}

/** The cluster, if it runs. */
export async function findKind(): Promise<Cluster | undefined> {
  const names = (await command('kind', ['get', 'clusters'])).split('\n');
  if (!names.includes(NAME)) return undefined;
  const kubeconfig = await kubeconfigPath();
  await command('kind', ['export', 'kubeconfig', '--name', NAME, '--kubeconfig', kubeconfig]);
  return await clusterOf(kubeconfig);
}

export async function startKind(): Promise<Cluster> {
  const kubeconfig = await kubeconfigPath();
  say('starting Kubernetes with kind');
  const args = ['--name', NAME, '--config', join(ROOT, 'kind-config.yaml'), '--kubeconfig', kubeconfig];
  await command('kind', ['create', 'cluster', ...args, '--wait', '180s'], { timeoutMs: BUILD_TIMEOUT_MS });
  return await clusterOf(kubeconfig);
}

async function clusterOf(kubeconfig: string): Promise<Cluster> {
  return {
    kind: 'kind',
    ...(await clusterTools(kubeconfig)),
    inside: () => Promise.reject(new Error('Programs of this machine do not run inside a kind cluster.')),
    loadImages: async () => ({
      cellpost: await buildAndLoad('cellpost', [...(await sourceFiles()), join(ROOT, 'package-lock.json')]),
      hbase: await buildAndLoad('hbase'),
      memcached: await buildAndLoad('memcached'),
      versitygw: await buildAndLoad('versitygw'),
    }),
    async loadImage(tar) {
      await command('kind', ['load', 'image-archive', tar, '--name', NAME]);
    },
    async down() {
      await command('kind', ['delete', 'cluster', '--name', NAME, '--kubeconfig', kubeconfig]);
    },
  };
}

/**
 * The tag is a hash of what the Dockerfile reads.
 * @param sources besides the image's own folder
 * @returns the image's reference
 */
async function buildAndLoad(name: string, sources: string[] = []): Promise<string> {
  const files = [...sources];
  for await (const file of glob(`images/${name}/*`, { cwd: ROOT })) files.push(join(ROOT, file));
  const reference = `localhost/${name}:${await hashOfFiles(ROOT, files)}`;
  say(`building and loading ${reference}`);
  const dockerfile = join(ROOT, 'images', name, 'Dockerfile');
  await command('docker', ['build', '--quiet', '--file', dockerfile, '--tag', reference, ROOT], {
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  await command('kind', ['load', 'docker-image', reference, '--name', NAME], { timeoutMs: BUILD_TIMEOUT_MS });
  return reference;
}
