// Where a cluster that was built here keeps what it needs.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../../images/cache.ts';

/** Names become parts of paths and of control groups. */
const NAME = /^[a-z0-9-]{1,16}$/;
/** A socket's path has at most 107 characters and an end mark. */
const MAX_SOCKET_PATH = 107;

const CLUSTER_FOLDER = 'cluster';
const PROCESSES_FILE = 'processes.json';

export type Paths = {
  state: string;
  /** The parent control group of the node, in each hierarchy. */
  controlGroup: string;
  /** Certificates, tokens, kubeconfigs of the components. */
  credentials: string;
  /** For people and tests on this machine. */
  kubeconfig: string;
  /** The API server's way out of its namespaces. */
  apiSocket: string;
  /** Which processes hold the cluster. */
  processes: string;
};

/**
 * Of the one cluster that this program works on. CELLPOST_CLUSTER names another than the usual one, so that several
 * can run side by side.
 * @throws when the name has other characters than lower-case letters, digits and hyphens
 */
export function paths(): Paths {
  const name = process.env.CELLPOST_CLUSTER;
  if (name && !NAME.test(name))
    throw new Error('CELLPOST_CLUSTER has at most 16 lower-case letters, digits and hyphens.');
  const state = join(cacheFolder(), name ? `${CLUSTER_FOLDER}-${name}` : CLUSTER_FOLDER);
  const apiSocket = join(state, 'api.sock');
  if (Buffer.byteLength(apiSocket) > MAX_SOCKET_PATH)
    throw new Error(`${apiSocket} is too long for a socket: set CELLPOST_CACHE to a shorter path.`);
  return {
    state,
    controlGroup: name ? `cellpost-${name}` : 'cellpost',
    credentials: join(state, 'credentials'),
    kubeconfig: join(state, 'kubeconfig'),
    apiSocket,
    processes: join(state, PROCESSES_FILE),
  };
}

/** Of a node that was added: its own view of the file system. */
export const nodeFolder = ({ state }: Paths, node: string): string => join(state, 'nodes', node);

/** The process files of all clusters of this cache. */
export async function allProcessFiles(): Promise<string[]> {
  const folders = await readdir(cacheFolder());
  return folders
    .filter((name) => name === CLUSTER_FOLDER || name.startsWith(`${CLUSTER_FOLDER}-`))
    .map((name) => join(cacheFolder(), name, PROCESSES_FILE));
}
