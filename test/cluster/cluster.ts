// A real Kubernetes for people and tests: the one that KUBECONFIG names; or kind, where Docker runs; or one of its own.
import { command, works } from '../../images/command.ts';
import { foreignCluster } from './foreign-cluster.ts';
import { findKind, startKind } from './kind-cluster.ts';
import { whyNoNode } from './node/packages.ts';
import { paths } from './node/paths.ts';
import { findPrivate, startPrivate } from './private-cluster.ts';

type CommandInput = { input?: string; timeoutMs?: number };

/** References to images for the chart. */
export type ImageReferences = { cellpost: string; hbase: string; memcached: string; versitygw: string };

export type Cluster = {
  kind: 'private' | 'kind' | 'foreign';
  kubeconfig: string;
  /** kubectl for this cluster, for whoever wants to run it otherwise: the program and its first arguments. */
  kubectlCommand: readonly string[];
  /** What kubectl prints. Throws CommandFailed with what it complains of. */
  kubectl(args: readonly string[], options?: CommandInput): Promise<string>;
  helm(args: readonly string[], options?: CommandInput): Promise<string>;
  /**
   * Runs a program of this machine where Services, pods and the cluster's DNS are reached; keeps the working directory.
   * Throws where that can't be: only a private cluster has it.
   */
  inside(program: readonly string[], options?: CommandInput): Promise<string>;
  /** Builds Cellpost's images and loads them; undefined where the cluster pulls its images from a registry. */
  loadImages(): Promise<ImageReferences | undefined>;
  /** Loads an image of a docker-archive. */
  loadImage(tar: string): Promise<void>;
  /** Ends the cluster; a foreign one stays. */
  down(): Promise<void>;
};

/** The cluster that runs, or a new one. */
export async function ensureCluster(options: { images?: boolean } = {}): Promise<Cluster> {
  return (await findCluster()) ?? (await startCluster(options));
}

/** The cluster that serves here now; undefined when none does. */
export async function findCluster(): Promise<Cluster | undefined> {
  const given = foreignKubeconfig();
  if (given) return await foreignCluster(given);
  return (await findPrivate()) ?? ((await hasKind()) ? await findKind() : undefined);
}

/** @returns why no cluster can be had here; undefined when one can */
export async function clusterMissing(): Promise<string | undefined> {
  if (foreignKubeconfig() || (await hasKind())) return undefined;
  const reason = (await whyNoNode()) ?? (await whyNoNamespaces());
  return reason && `${reason}; set KUBECONFIG to a cluster, or install Docker and kind`;
}

async function startCluster(options: { images?: boolean }): Promise<Cluster> {
  const missing = await clusterMissing();
  if (missing) throw new Error(`No Kubernetes: ${missing}.`);
  return (await hasKind()) ? await startKind() : await startPrivate({ images: options.images ?? true });
}

/** KUBECONFIG, unless it is that of the cluster made here. */
function foreignKubeconfig(): string | undefined {
  const given = process.env.KUBECONFIG;
  return given && given !== paths().kubeconfig ? given : undefined;
}

async function hasKind(): Promise<boolean> {
  return (await works('kind', ['version'])) && (await works('docker', ['info']));
}

async function whyNoNamespaces(): Promise<string | undefined> {
  const args = ['--net', '--mount', '--pid', '--fork', 'true'];
  return await command('unshare', args).then(
    () => undefined,
    (error: Error) => `a Kubernetes of its own needs namespaces: ${error.message}`,
  );
}
