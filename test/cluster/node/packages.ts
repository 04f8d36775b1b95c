// Programs of the system that the node needs; on Debian missing ones are installed.
import { access } from 'node:fs/promises';
import { command, works } from '../../../images/command.ts';
import { exists } from '../../../images/cache.ts';
import { say } from '../../../images/progress.ts';

/** Program or file -> Debian's package. */
const NEEDED: Record<string, string> = {
  containerd: 'containerd',
  runc: 'runc',
  '/usr/lib/cni/ptp': 'containernetworking-plugins',
  iptables: 'iptables',
  conntrack: 'conntrack',
  socat: 'socat',
  openssl: 'openssl',
  ip: 'iproute2',
  sysctl: 'procps',
  nsenter: 'util-linux',
  mvn: 'maven',
  jlink: 'openjdk-17-jdk-headless',
};
/** What only the images need. */
const FOR_IMAGES = new Set(['mvn', 'jlink']);

/** @throws one sentence that says what is missing and how to get it */
export async function requirePackages(options: { images: boolean }): Promise<void> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(NEEDED))
    if ((options.images || !FOR_IMAGES.has(program)) && !(await isThere(program))) missing.add(name);
  if (missing.size === 0) return;
  const list = [...missing].join(' ');
  if (process.getuid?.() !== 0 || !(await works('apt-get', ['--version'])))
    throw new Error(`A Kubernetes of its own needs these programs, named by Debian's packages: ${list}.`);
  say(`installing Debian packages: ${list}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await command('apt-get', ['update', '-q'], { env });
  await command('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}

/** @returns why a node can't run here at all; undefined when it can */
export async function whyNoNode(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `a Kubernetes of its own is built only on Linux x64, this is ${process.platform} ${process.arch}`;
  if (process.getuid?.() !== 0) return 'a Kubernetes of its own needs root';
  return await access('/sys/fs/cgroup').then(
    () => undefined,
    () => 'a Kubernetes of its own needs control groups at /sys/fs/cgroup',
  );
}

async function isThere(program: string): Promise<boolean> {
  if (program.startsWith('/')) return await exists(program);
  return await works('sh', ['-c', `command -v ${program}`]);
}
