// The servers that the coordination suite runs against, each in a process of its own that can be killed and started
// again with the same data.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startZooKeeper, zooKeeperMissing } from '../real/zookeeper.ts';
import { until } from '../support/wait.ts';
import { type CutProxy, startCutProxy } from './cut-proxy.ts';

const PROCESS = fileURLToPath(new URL('coordination-process.ts', import.meta.url));
const START_DEADLINE_MS = 30_000;

export type CoordinationServer = {
  /** The shortest session timeout that it grants. */
  timeoutMs: number;
  /** True when sessions live through a restart of the server. */
  keepsSessions: boolean;
  url(chroot: string): string;
  /** A way to it that can be cut. */
  proxy(): Promise<{ proxy: CutProxy; url(chroot: string): string }>;
  /** kill -9 */
  kill(): Promise<void>;
  /** SIGSTOP, SIGCONT: it hangs. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Starts it again where it was. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

/** A process of coordination-process.ts and what it has said. */
export type Talker = { process: ChildProcess; lines: string[]; kill(): Promise<void> };

export function startTalker(args: string[]): Talker {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROCESS, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return {
    process: child,
    lines,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export async function said(talker: Talker, start: string): Promise<string> {
  return until(() => talker.lines.find((line) => line.startsWith(start)), {
    timeoutMs: START_DEADLINE_MS,
    what: `a process to say ${start} (it said ${talker.lines.join(', ')})`,
    intervalMs: 10,
  });
}

async function startEmbedded(): Promise<CoordinationServer> {
  const folder = await mkdtemp(join(tmpdir(), 'coordinator-'));
  const socket = join(folder, 'c.sock');
  const start = async (): Promise<Talker> => {
    const talker = startTalker(['coordinator', socket, join(folder, 'c.db')]);
    await said(talker, 'ready');
    return talker;
  };
  let talker = await start();
  let proxies = 0;
  return {
    timeoutMs: 2_000,
    keepsSessions: false,
    url: (chroot) => `local:${socket}?chroot=${chroot}`,
    async proxy() {
      const path = join(folder, `proxy-${++proxies}.sock`);
      const proxy = await startCutProxy(socket, path);
      return { proxy, url: (chroot) => `local:${path}?chroot=${chroot}` };
    },
    kill: () => talker.kill(),
    signal: (name) => void talker.process.kill(name),
    async restart() {
      talker = await start();
    },
    async close() {
      await talker.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startReal(): Promise<CoordinationServer> {
  const zookeeper = await startZooKeeper();
  return {
    ...zookeeper,
    timeoutMs: 2_000,
    keepsSessions: true,
    async proxy() {
      const proxy = await startCutProxy(Number(zookeeper.connect.split(':')[1]), 0);
      return { proxy, url: (chroot) => `zookeeper://127.0.0.1:${proxy.place}${chroot}` };
    },
  };
}

export const SERVERS: {
  name: string;
  start: () => Promise<CoordinationServer>;
  /** Why it can't run here. */
  missing: () => Promise<string | undefined>;
}[] = [
  { name: 'the embedded coordinator', start: startEmbedded, missing: async () => undefined },
  { name: 'ZooKeeper', start: startReal, missing: zooKeeperMissing },
];
