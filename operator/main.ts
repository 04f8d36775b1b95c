// The operator as a program.
import { KubeConfig } from '@kubernetes/client-node';
import { ConfigError } from '../workloads/common/config/env.ts';
import { listenHttp } from '../workloads/common/http/server.ts';
import { createLogger } from '../workloads/common/log.ts';
import { WorkloadMetrics } from '../workloads/common/metrics/workload-metrics.ts';
import { askAppServer } from './outside/app-server.ts';
import { appServerPlace } from './outside/app-server-place.ts';
import { discoveryAdmin } from './outside/discovery.ts';
import { ensureLogTable } from './outside/schema.ts';
import { storageAdmin } from './outside/storage.ts';
import { changeEnsemble, ensembleMembers } from './outside/zookeeper-members.ts';
import { askZooKeeper } from './outside/zookeeper.ts';
import { KubeApi } from './runtime/api.ts';
import { Connections } from './runtime/connections.ts';
import { LeaderLease } from './runtime/lease.ts';
import { OperatorMetrics } from './runtime/metrics.ts';
import { readSettings, type Settings } from './settings.ts';
import { runTerm } from './term.ts';
import type { Outside } from './world.ts';

const LEASE_NAME = 'cellpost-operator';
const OUTSIDE: Outside = {
  discovery: discoveryAdmin,
  ensureSchema: ensureLogTable,
  zookeeper: askZooKeeper,
  ensemble: { members: ensembleMembers, change: changeEnsemble },
  storage: storageAdmin,
  appServer: askAppServer,
  appServerPlace,
};

export type RunningOperator = { url: string; close(): Promise<void>; ports: Record<string, number> };

/**
 * Campaigns for the lease and, while it has it, reconciles.
 * @param standIns for services besides the Kubernetes API; those of the cluster where absent
 * @throws ConfigError
 */
export async function start(
  env: NodeJS.ProcessEnv,
  standIns: Partial<Outside> = {},
): Promise<RunningOperator> {
  const outside = { ...OUTSIDE, ...standIns };
  const settings = readSettings(env);
  const logger = createLogger('operator', settings.logLevel, { instance: settings.identity });
  const shared = WorkloadMetrics.ofProcess('operator');
  const metrics = new OperatorMetrics(shared);
  const connections = new Connections(kubeConfig(settings, env));
  const api = new KubeApi(connections, metrics);
  const stop = new AbortController();
  const lease = new LeaderLease({
    api,
    namespace: settings.namespace,
    name: LEASE_NAME,
    identity: settings.identity,
    logger,
  });
  // One that waits for the lease is as ready as it can be.
  let readiness: true | string = true;
  const listener = await listenHttp({
    ...settings.http,
    logger,
    metrics: shared,
    healthy: () => lease.health(),
    ready: () => (stop.signal.aborted ? 'stopping' : readiness),
    routes: () => undefined,
  });
  const campaign = lease.campaign(async (term) => {
    metrics.leading.set(1);
    readiness = 'the objects of the cluster are being read';
    try {
      const onSynced = (): void => void (readiness = true);
      await runTerm({ api, settings, outside, metrics, logger, onSynced }, term);
    } finally {
      metrics.leading.set(0);
      readiness = true;
    }
  }, stop.signal);
  logger.info({ url: listener.url, version: settings.version }, 'operator started');
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stop.abort();
    await campaign;
    await listener.close();
    await connections.close();
  };
  return { url: listener.url, ports: { http: listener.port }, close: () => (closing ??= close()) };
}

/** @throws ConfigError */
function kubeConfig(settings: Settings, env: NodeJS.ProcessEnv): KubeConfig {
  const config = new KubeConfig();
  try {
    if (settings.kubeconfig !== undefined) config.loadFromFile(settings.kubeconfig);
    else if (env.KUBERNETES_SERVICE_HOST) config.loadFromCluster();
    else throw new Error('there is neither KUBECONFIG nor a service account');
  } catch (error) {
    throw new ConfigError(
      `The Kubernetes API can't be reached: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  if (!config.getCurrentCluster()) throw new ConfigError('The kubeconfig names no cluster.');
  return config;
}
