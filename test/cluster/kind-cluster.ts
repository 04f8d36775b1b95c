// Kubernetes in a container, by kind: where a Docker engine runs.
import { access, glob, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, hashOfFiles } from '../../images/cache.ts';
import { command } from '../../images/command.ts';
import { say } from '../../images/progress.ts';
import type { Cluster } from './cluster.ts';
import { clusterTools } from './tools.ts';

const NAME = 'cellpost';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_TIMEOUT_MS = 1_800_000;

/** Image -> what its Dockerfile reads, so that a tag tells the content. */
const IMAGES = {
  cellpost: [
    'package.json',
    'package-lock.json',
    '{bin,cli,embedded,operator,workloads}/**/*.{ts,js,sh,html,css,proto,properties}',
  ],
  hbase: [],
  versitygw: [],
};

const kubeconfigPath = (): string => join(cacheFolder(), 'kind', 'kubeconfig');

/** The cluster, if it runs. */
export async function findKind(): Promise<Cluster | undefined> {
  const names = (await command('kind', ['get', 'clusters'])).split('\n');
  const kubeconfig = kubeconfigPath();
  if (
    !names.includes(NAME) ||
    !(await access(kubeconfig).then(
      () => true,
      () => false,
    ))
  )
    return undefined;
  return await clusterOf(kubeconfig);
}

export async function startKind(): Promise<Cluster> {
  const kubeconfig = kubeconfigPath();
  await mkdir(dirname(kubeconfig), { recursive: true });
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
      cellpost: await buildAndLoad('cellpost'),
      hbase: await buildAndLoad('hbase'),
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

/** @returns the image's reference */
async function buildAndLoad(name: keyof typeof IMAGES): Promise<string> {
  const files: string[] = [];
  for await (const file of glob([`images/${name}/*`, ...IMAGES[name]], { cwd: ROOT }))
    files.push(join(ROOT, file));
  const reference = `localhost/${name}:${await hashOfFiles(ROOT, files)}`;
  say(`building and loading ${reference}`);
  const dockerfile = join(ROOT, 'images', name, 'Dockerfile');
  await command('docker', ['build', '--quiet', '--file', dockerfile, '--tag', reference, ROOT], {
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  await command('kind', ['load', 'docker-image', reference, '--name', NAME], { timeoutMs: BUILD_TIMEOUT_MS });
  return reference;
}
