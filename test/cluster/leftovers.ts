// What a cluster could leave on this machine.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../../images/cache.ts';
import { paths } from './node/paths.ts';

const FOLDERS = [
  '/tmp/hostpath_pv',
  '/run/containerd',
  '/run/netns',
  '/var/lib/containerd',
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/var/log/pods',
  '/etc/cni/net.d',
];

export type Leftovers = {
  mounts: number;
  controlGroups: string[];
  networkDevices: string[];
  /** Numbers and command lines. */
  processes: string[];
  folders: string[];
};

export async function leftovers(): Promise<Leftovers> {
  const { state, controlGroup } = paths();
  const folders: string[] = [];
  for (const folder of [...FOLDERS, state]) if (await exists(folder)) folders.push(folder);
  return {
    mounts: (await readFile('/proc/mounts', 'utf8')).split('\n').length,
    controlGroups: await controlGroups(controlGroup),
    networkDevices: (await readdir('/sys/class/net')).sort(),
    processes: await processesOf(state),
    folders,
  };
}

async function controlGroups(group: string): Promise<string[]> {
  const root = '/sys/fs/cgroup';
  const hierarchies = ['.', ...(await readdir(root))];
  const found: string[] = [];
  for (const name of hierarchies)
    if (await exists(join(root, name, group))) found.push(join(root, name, group));
  return found;
}

/** Every component is told the state folder by an argument or by its environment. */
async function processesOf(state: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (line.includes(state) || environment.includes(`STATE=${state}`)) found.push(`${pid} ${line}`);
  }
  return found;
}
