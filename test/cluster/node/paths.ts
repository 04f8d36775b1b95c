// Where a cluster that was built here keeps what it needs.
import { join } from 'node:path';
import { cacheFolder } from '../../../images/cache.ts';

/** A socket's path has at most 107 characters and an end mark. */
const MAX_SOCKET_PATH = 107;

export type Paths = {
  state: string;
  /** Certificates, tokens, kubeconfigs of the components. */
  credentials: string;
  /** For people and tests on this machine. */
  kubeconfig: string;
  /** The API server's way out of its namespaces. */
  apiSocket: string;
  /** Which processes hold the cluster. */
  processes: string;
};

export function paths(): Paths {
  const state = join(cacheFolder(), 'cluster');
  const apiSocket = join(state, 'api.sock');
  if (Buffer.byteLength(apiSocket) > MAX_SOCKET_PATH)
    throw new Error(`${apiSocket} is too long for a socket: set CELLPOST_CACHE to a shorter path.`);
  return {
    state,
    credentials: join(state, 'credentials'),
    kubeconfig: join(state, 'kubeconfig'),
    apiSocket,
    processes: join(state, 'processes.json'),
  };
}
