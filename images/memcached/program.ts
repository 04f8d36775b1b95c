// Debian's memcached: its package unpacked into the cache, never installed.
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder, cached } from '../cache.ts';
import { command } from '../command.ts';

/** @returns its path @throws when there is no apt-get, or a library that it needs is not installed */
export async function memcachedBinary(): Promise<string> {
  const root = await cached(join(cacheFolder(), 'memcached-unpacked'), unpack);
  const program = join(root, 'usr/bin/memcached');
  await command(program, ['-V']);
  return program;
}

async function unpack(path: string): Promise<void> {
  const folder = dirname(path);
  await command('apt-get', ['download', '-q', 'memcached'], { cwd: folder });
  const deb = (await readdir(folder)).find((name) => name.startsWith('memcached_') && name.endsWith('.deb'));
  await command('dpkg', ['-x', join(folder, deb ?? ''), path]);
}
