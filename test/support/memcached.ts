// Debian's memcached: its package unpacked into the cache, never installed, and servers of it on ports of 127.0.0.1.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { cacheFolder, cached } from '../../images/cache.ts';
import { command } from '../../images/command.ts';
import { until } from './wait.ts';

const START_DEADLINE_MS = 10_000;
const MEMORY_MIB = 64;

export type Memcached = { port: number; pid: number; kill(): Promise<void> };

/** @returns the program, or why it can't be had here */
export async function memcachedProgram(): Promise<{ program: string } | { missing: string }> {
  try {
    const root = await cached(join(cacheFolder(), 'memcached-unpacked'), unpack);
    const program = join(root, 'usr/bin/memcached');
    await command(program, ['-V']);
    return { program };
  } catch (error) {
    return {
      missing: `memcached can't be had here: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

async function unpack(path: string): Promise<void> {
  const folder = dirname(path);
  await command('apt-get', ['download', '-q', 'memcached'], { cwd: folder });
  const deb = (await readdir(folder)).find((name) => name.startsWith('memcached_') && name.endsWith('.deb'));
  await command('dpkg', ['-x', join(folder, deb ?? ''), path]);
}

export async function startMemcached(program: string, port: number): Promise<Memcached> {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const args = [
    '-l',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    '0',
    '-m',
    String(MEMORY_MIB),
    '-t',
    '1',
    ...user,
  ];
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until(() => canConnect(port), { timeoutMs: START_DEADLINE_MS, what: 'memcached', intervalMs: 20 });
  return {
    port,
    pid: child.pid ?? 0,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
