// Real memcached servers on ports of 127.0.0.1.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { memcachedBinary } from '../../images/memcached/program.ts';
import { until } from './wait.ts';

const START_DEADLINE_MS = 10_000;
const MEMORY_MIB = 64;

export type Memcached = { port: number; pid: number; kill(): Promise<void> };

/** @returns the program, or why it can't be had here */
export async function memcachedProgram(): Promise<{ program: string } | { missing: string }> {
  try {
    return { program: await memcachedBinary() };
  } catch (error) {
    return {
      missing: `memcached can't be had here: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
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
