// The processes of a cluster outlive the program that started them; a file says which they are.
import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../support/wait.ts';
import { NODE, NODE_ADDRESS } from './addresses.ts';
import { allProcessFiles, nodeFolder, type Paths } from './paths.ts';

const INIT = fileURLToPath(new URL('init.sh', import.meta.url));
/** How a node's process 1 is known, whichever checkout of the project started it. */
const INIT_MARK = '/test/cluster/node/init.sh';
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 30_000;

export type NodeProcesses = {
  /** `unshare`, the parent of the node's process 1. */
  parent: number;
  /** The node's process 1, as this machine numbers it. */
  init: number;
};
/** Of the first node, and of those that were added. */
export type Processes = NodeProcesses & {
  more?: Record<string, NodeProcesses>;
  /** Forwards a port of 127.0.0.1 to the API server's socket. */
  forwarder: number;
};

/** Starts the first node in new namespaces; it goes on when this program ends. */
export async function startProcesses(
  paths: Paths,
  options: { kube: string; coredns: string; port: number },
): Promise<Processes> {
  const node = await startNode(paths, { folder: paths.state, name: NODE, address: NODE_ADDRESS, ...options });
  const forwarder = background(
    'socat',
    [`TCP-LISTEN:${options.port},bind=127.0.0.1,fork,reuseaddr`, `UNIX-CONNECT:${paths.apiSocket}`],
    join(paths.state, 'log/forwarder.log'),
    process.env,
  );
  const processes = { ...node, forwarder };
  await writeFile(paths.processes, JSON.stringify(processes));
  return processes;
}

/** Starts another node; its network is not connected yet. */
export async function startMore(
  paths: Paths,
  node: { name: string; address: string; kube: string; coredns: string },
): Promise<NodeProcesses> {
  const started = await startNode(paths, { ...node, folder: nodeFolder(paths, node.name) });
  await remember(paths, (more) => ({ ...more, [node.name]: started }));
  return started;
}

/** Ends a node that was added, with all that runs on it, at once. */
export async function killMore(paths: Paths, name: string): Promise<void> {
  const processes = (await runningOf(paths.processes))?.more?.[name];
  if (processes) await kill(processes);
  await remember(paths, ({ [name]: _gone, ...more }) => more);
}

async function remember(
  paths: Paths,
  change: (more: Record<string, NodeProcesses>) => Record<string, NodeProcesses>,
): Promise<void> {
  const processes = JSON.parse(await readFile(paths.processes, 'utf8')) as Processes;
  const text = JSON.stringify({ ...processes, more: change(processes.more ?? {}) });
  await writeFile(paths.processes, text);
}

async function startNode(
  paths: Paths,
  node: { folder: string; name: string; address: string; kube: string; coredns: string },
): Promise<NodeProcesses> {
  const namespaces = [
    '--net',
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    '--fork',
    '--mount-proc',
    '--kill-child',
  ];
  const log = join(node.folder, 'log/init.log');
  const parent = background('unshare', [...namespaces, 'bash', INIT], log, {
    PATH: process.env.PATH,
    CLUSTER: paths.state,
    STATE: node.folder,
    CONTROL_GROUP: paths.controlGroup,
    KUBE: node.kube,
    COREDNS: node.coredns,
    NODE: node.name,
    NODE_ADDRESS: node.address,
    CONTROL_ADDRESS: NODE_ADDRESS,
  });
  const init = await until(
    async () => {
      const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '');
      return Number.parseInt(children, 10) || undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, what: `the node's process 1 (see ${log})` },
  );
  return { parent, init };
}

/** The processes of a cluster that runs; undefined when none does. */
export async function runningProcesses(paths: Paths): Promise<Processes | undefined> {
  return await runningOf(paths.processes);
}

/** Whether any cluster of this cache runs, under whatever name. */
export async function anyRuns(): Promise<boolean> {
  const running = await Promise.all((await allProcessFiles()).map(runningOf));
  return running.some((processes) => processes !== undefined);
}

async function runningOf(file: string): Promise<Processes | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const processes = JSON.parse(text) as Processes;
  return (await isOurs(processes.init, INIT_MARK)) ? processes : undefined;
}

/** Ends all processes of the cluster and waits until they are gone. */
export async function stopProcesses(paths: Paths): Promise<void> {
  const text = await readFile(paths.processes, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const { forwarder, more, ...first } = JSON.parse(text) as Processes;
  if (await isOurs(forwarder, paths.apiSocket)) process.kill(forwarder, 'SIGTERM');
  await Promise.all([first, ...Object.values(more ?? {})].map(kill));
  await rm(paths.processes);
}

async function kill({ parent, init }: NodeProcesses): Promise<void> {
  if (await isOurs(init, INIT_MARK)) process.kill(init, 'SIGKILL');
  await until(async () => !(await isOurs(init, INIT_MARK)) && !(await isOurs(parent, INIT_MARK)), {
    timeoutMs: STOP_TIMEOUT_MS,
    what: 'the end of the node',
  });
}

/** A stored number may be another's process after a reboot: its command line tells. */
async function isOurs(pid: number, part: string): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.includes(part);
}

function background(program: string, args: string[], log: string, env: NodeJS.ProcessEnv): number {
  const file = openSync(log, 'a');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', file, file], env });
  closeSync(file);
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} could not be started.`);
  return child.pid;
}
