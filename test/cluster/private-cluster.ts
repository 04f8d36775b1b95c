// A Kubernetes of its own on this machine: one node in namespaces of its own, built from Go modules. What it runs can
// reach nothing outside, and nothing outside can reach it but through the API server's port on 127.0.0.1.
import { chmod, copyFile, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { image } from '../../images/archive.ts';
import { programLayer } from '../../images/base.ts';
import { buildImages } from '../../images/build.ts';
import { exists } from '../../images/cache.ts';
import { command } from '../../images/command.ts';
import { say } from '../../images/progress.ts';
import { until } from '../support/wait.ts';
import { corednsBinary, helmBinary, kubeBinary, pauseBinary } from './binaries.ts';
import type { Cluster, ImageReferences } from './cluster.ts';
import { withClusterLock } from './lock.ts';
import { NODE } from './node/addresses.ts';
import { makeCredentials } from './node/credentials.ts';
import { requirePackages } from './node/packages.ts';
import { paths, type Paths } from './node/paths.ts';
import {
  anyRuns,
  runningProcesses,
  startProcesses,
  stopProcesses,
  type Processes,
} from './node/processes.ts';
import { writeSettings } from './node/settings.ts';
import { toolsOf } from './tools.ts';

/** Everything starts at once on what may be two busy cores. */
const READY_TIMEOUT_MS = 300_000;
const LOAD_TIMEOUT_MS = 300_000;
const CGROUP_TIMEOUT_MS = 30_000;
/** Made on this machine as mount points; another's stay, since they are not empty. */
const MOUNT_POINTS = ['/tmp/hostpath_pv', '/var/lib/containerd', '/var/lib/kubelet', '/var/lib/cni'];

const READY = `jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}`;

/** The default class; its provisioner is the controller manager's own. */
const STORAGE_CLASS = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: standard, annotations: { storageclass.kubernetes.io/is-default-class: "true" } }
provisioner: kubernetes.io/host-path
reclaimPolicy: Delete
`;

/** The cluster, if one runs. */
export async function findPrivate(): Promise<Cluster | undefined> {
  const at = paths();
  const processes = await runningProcesses(at);
  return processes && (await exists(kubectlPath(at))) ? await clusterOf(at, processes) : undefined;
}

/** @param options.images also checks for what building the images needs */
export async function startPrivate(options: { images: boolean }): Promise<Cluster> {
  return await withClusterLock(async () => (await findPrivate()) ?? (await start(options)));
}

/** Ends the cluster and removes all that it left on this machine; what was built and fetched stays. */
export async function downPrivate(): Promise<void> {
  await withClusterLock(clean);
}

async function start(options: { images: boolean }): Promise<Cluster> {
  const at = paths();
  await requirePackages(options);
  const [kube, coredns, pause] = [await kubeBinary(), await corednsBinary(), await pauseBinary()];
  await clean();
  say(`starting Kubernetes in ${at.state}`);
  try {
    await mkdir(join(at.state, 'log'), { recursive: true });
    const pauseImage = await image({ name: 'pause', entrypoint: ['/pause'] }, [
      await programLayer('pause', pause, '.'),
    ]);
    await copyFile(pauseImage.tar, join(at.state, 'pause.tar'));
    const port = await freePort();
    await makeCredentials(at.credentials, at.kubeconfig, `https://127.0.0.1:${port}`);
    await writeSettings(at, at.state, { name: NODE, number: 1 }, pauseImage.reference);
    const cluster = await clusterOf(at, await startProcesses(at, { kube, coredns, port }));
    await untilReady(cluster);
    await cluster.kubectl(['apply', '-f', '-'], { input: STORAGE_CLASS });
    await writeKubectl(at, kube);
    say('Kubernetes is ready');
    return cluster;
  } catch (error) {
    await stopProcesses(at);
    throw new Error(`Kubernetes did not start; its logs are in ${at.state}/log.`, { cause: error });
  }
}

async function clean(): Promise<void> {
  const at = paths();
  await stopProcesses(at);
  await until(() => removeGroups(at.controlGroup), {
    timeoutMs: CGROUP_TIMEOUT_MS,
    what: 'the end of control groups',
  });
  await rm(at.state, { recursive: true, force: true });
  // A folder that goes takes what another cluster has mounted there with it.
  if (!(await anyRuns())) for (const folder of MOUNT_POINTS) await rmdir(folder).catch(() => undefined);
}

async function clusterOf(at: Paths, { init }: Processes): Promise<Cluster> {
  const kube = await kubeBinary();
  const env = { ...process.env, KUBECONFIG: at.kubeconfig };
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc'];
  const enter = (program: readonly string[]): string[] =>
    ['-t', String(init), ...namespaces, `--wdns=${process.cwd()}`, '--'].concat(program);
  const cluster: Cluster = {
    kind: 'private',
    ...toolsOf(at.kubeconfig, [kube, 'kubectl'], helmBinary),
    inside: async (program, options) => await command('nsenter', enter(program), { ...options, env }),
    async loadImages(): Promise<ImageReferences> {
      const { cellpost, hbase, memcached, versitygw } = await buildImages();
      const there = await cluster.inside(['ctr', '-n', 'k8s.io', 'images', 'ls', '-q']);
      for (const { tar, reference } of [cellpost, hbase, memcached, versitygw]) {
        if (there.split('\n').includes(reference)) continue;
        say(`loading ${reference}`);
        await cluster.loadImage(tar);
      }
      return {
        cellpost: cellpost.reference,
        hbase: hbase.reference,
        memcached: memcached.reference,
        versitygw: versitygw.reference,
      };
    },
    async loadImage(tar) {
      await cluster.inside(['ctr', '-n', 'k8s.io', 'images', 'import', tar], { timeoutMs: LOAD_TIMEOUT_MS });
    },
    down: downPrivate,
  };
  return cluster;
}

async function untilReady(cluster: Cluster): Promise<void> {
  await untilNodeReady(cluster, NODE);
  await until(() => cluster.kubectl(['get', 'serviceaccount', 'default']).catch(() => undefined), {
    timeoutMs: READY_TIMEOUT_MS,
    intervalMs: 200,
    what: 'the default service account',
  });
}

/** The node says so, and did within the last seconds: after a restart what it said before still stands. */
export async function untilNodeReady(cluster: Cluster, name: string, since = new Date(0)): Promise<void> {
  await until(
    async () => {
      const told = await cluster.kubectl(['get', 'node', name, '-o', READY]).catch(() => '');
      const [ready, heard] = told.split(' ');
      return ready === 'True' && Date.parse(heard ?? '') >= since.getTime();
    },
    { timeoutMs: READY_TIMEOUT_MS, intervalMs: 200, what: `node ${name}` },
  );
}

const kubectlPath = (at: Paths): string => join(at.state, 'kubectl');

/** A kubectl of this cluster for people; it is there when the cluster is whole. */
async function writeKubectl(at: Paths, kube: string): Promise<void> {
  const file = kubectlPath(at);
  await writeFile(file, `#!/bin/sh\nKUBECONFIG='${at.kubeconfig}' exec '${kube}' kubectl "$@"\n`);
  await chmod(file, 0o755);
}

/** True when none of the node's control groups is left. */
async function removeGroups(name: string): Promise<boolean> {
  const root = '/sys/fs/cgroup';
  const hierarchies = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const groups = [root, ...hierarchies.map((hierarchy) => join(root, hierarchy.name))].map((path) =>
    join(path, name),
  );
  const there: string[] = [];
  for (const group of groups) if (await exists(group)) there.push(group);
  // Depth first; a group whose last process is still going can't be removed yet.
  if (there.length > 0)
    await command('find', [...there, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']).catch(() => '');
  const left = await Promise.all(there.map(exists));
  return !left.includes(true);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('There is no free port.');
  return address.port;
}
