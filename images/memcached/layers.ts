// The image of memcached: the program and its libraries.
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layer, type Layer } from '../archive.ts';
import { copyLibraries, recipe } from '../base.ts';
import { hashOfFiles } from '../cache.ts';
import { command } from '../command.ts';
import { memcachedBinary } from './program.ts';

const FOLDER = 'usr/local/bin';

export async function memcachedLayer(): Promise<Layer> {
  const program = await memcachedBinary();
  const version = await command(program, ['-V']);
  const own = fileURLToPath(import.meta.url);
  const key = await recipe(version, await hashOfFiles(dirname(own), [own]));
  return await layer('memcached', key, async (root) => {
    const path = join(root, FOLDER, 'memcached');
    await mkdir(dirname(path), { recursive: true });
    await copyFile(program, path);
    await chmod(path, 0o755);
    await copyLibraries(root, [program]);
  });
}
