// Programs of the system that the node needs; on Debian missing ones are installed.
import { access } from 'node:fs/promises';
import { installMissing } from '../../support/debian.ts';

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
  const needed = Object.entries(NEEDED).filter(([program]) => options.images || !FOR_IMAGES.has(program));
  const missing = await installMissing(Object.fromEntries(needed));
  if (missing.length > 0) {
    throw new Error(
      `A Kubernetes of its own needs these programs, named by Debian's packages: ${missing.join(' ')}.`,
    );
  }
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
