// Images without a container engine: layers are tars of folders, an image is a docker-archive of them. The same content
// gives the same bytes, so a tag that is a hash of the content changes with it and with nothing else.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cached, cacheFolder, hashOf, keepNewest } from './cache.ts';
import { command } from './command.ts';
import { say } from './progress.ts';

/** Owner, order and time are no part of the content. */
const REPRODUCIBLE = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--format=gnu',
];
/** Of each image and each layer this many are kept in the cache. */
const KEPT = 4;

/** A tar in the cache. */
export type Layer = { path: string; diffId: string };

export type ImageConfig = {
  name: string;
  /** Stands before the hash in the tag. */
  version?: string;
  env?: string[];
  workingDir?: string;
  entrypoint?: string[];
  command?: string[];
};

export type Image = {
  name: string;
  /** `localhost/name:tag` */
  reference: string;
  /** A docker-archive. */
  tar: string;
};

/**
 * A layer whose content is told by `key`; `fill` puts it into a folder when the cache doesn't have it.
 * @param name names the layer's files; older ones of the same name go
 */
export async function layer(
  name: string,
  key: string,
  fill: (root: string) => Promise<void>,
): Promise<Layer> {
  const folder = join(cacheFolder(), 'layers');
  const path = await cached(join(folder, `${name}-${key}.tar`), async (tar) => {
    const root = await mkdtemp(join(tmpdir(), 'cellpost-layer-'));
    try {
      say(`making layer ${name}`);
      await fill(root);
      await command('tar', ['-C', root, ...REPRODUCIBLE, '-cf', tar, '.']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
  const digest = await cached(path.replace(/tar$/, 'sha256'), async (file) => {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    await writeFile(file, hash.digest('hex'));
  });
  await keepNewest(folder, `${name}-`, 2 * KEPT);
  return { path, diffId: `sha256:${await readFile(digest, 'utf8')}` };
}

/** An image of layers, the lowest first. It runs as user 1000 unless told otherwise by who runs it. */
export async function image(config: ImageConfig, layers: Layer[]): Promise<Image> {
  const settings = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      User: '1000:1000',
      Env: ['PATH=/usr/local/bin:/usr/bin:/bin', ...(config.env ?? [])],
      WorkingDir: config.workingDir ?? '/',
      Entrypoint: config.entrypoint ?? null,
      Cmd: config.command ?? null,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })),
  });
  const hash = hashOf(settings);
  const reference = `localhost/${config.name}:${config.version ? `${config.version}-` : ''}${hash}`;
  const folder = join(cacheFolder(), 'images');
  const tar = await cached(join(folder, `${config.name}-${hash}.tar`), async (path) => {
    const parts = join(dirname(path), 'parts');
    await mkdir(parts);
    await writeFile(join(parts, 'config.json'), settings);
    const manifest = [
      { Config: 'config.json', RepoTags: [reference], Layers: layers.map(({ path }) => basename(path)) },
    ];
    await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest));
    const members = layers.flatMap((each) => ['-C', dirname(each.path), basename(each.path)]);
    await command('tar', [
      ...REPRODUCIBLE,
      '-cf',
      path,
      '-C',
      parts,
      'manifest.json',
      'config.json',
      ...members,
    ]);
    say(`made ${reference}`);
  });
  await keepNewest(folder, `${config.name}-`, KEPT);
  return { name: config.name, reference, tar };
}
