// How cellctl reads from Kubernetes: as kubectl does, by KUBECONFIG, ~/.kube/config or a pod's service account.
import { KubeConfig } from '@kubernetes/client-node';
import { KubeApi } from '../operator/runtime/api.ts';
import { Connections } from '../operator/runtime/connections.ts';
import { OperatorMetrics } from '../operator/runtime/metrics.ts';
import { ConfigError } from '../workloads/common/config/env.ts';
import { WorkloadMetrics } from '../workloads/common/metrics/workload-metrics.ts';

export type Kubernetes = {
  api: KubeApi;
  config: KubeConfig;
  connections: Connections;
  /** Of the kubeconfig's context. */
  namespace: string;
};

/** Runs a command with the Kubernetes API, and closes it. @throws ConfigError when none is configured */
export async function withKubernetes<T>(work: (kubernetes: Kubernetes) => Promise<T>): Promise<T> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const context = config.getContextObject(config.getCurrentContext());
  if (!config.getCurrentCluster()) throw new ConfigError('No Kubernetes is configured: set KUBECONFIG.');
  const connections = new Connections(config);
  try {
    const api = new KubeApi(connections, new OperatorMetrics(new WorkloadMetrics('operator')));
    return await work({ api, config, connections, namespace: context?.namespace ?? 'default' });
  } finally {
    await connections.close();
  }
}
