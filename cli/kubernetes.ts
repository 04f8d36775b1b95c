// How cellctl reads cells from Kubernetes: as kubectl does, by KUBECONFIG, ~/.kube/config or a pod's service account.
import { KubeConfig } from '@kubernetes/client-node';
import { KubeApi } from '../operator/runtime/api.ts';
import { Connections } from '../operator/runtime/connections.ts';
import { OperatorMetrics } from '../operator/runtime/metrics.ts';
import { TYPES } from '../operator/runtime/resources.ts';
import type { Cell } from '../operator/types.ts';
import { ConfigError } from '../workloads/common/config/env.ts';
import { WorkloadMetrics } from '../workloads/common/metrics/workload-metrics.ts';

/** Runs a command with the Kubernetes API, and closes it. @throws ConfigError when none is configured */
async function withKubernetes<T>(work: (api: KubeApi, namespace: string) => Promise<T>): Promise<T> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const context = config.getContextObject(config.getCurrentContext());
  if (!config.getCurrentCluster()) throw new ConfigError('No Kubernetes is configured: set KUBECONFIG.');
  const connections = new Connections(config);
  try {
    return await work(
      new KubeApi(connections, new OperatorMetrics(new WorkloadMetrics('operator'))),
      context?.namespace ?? 'default',
    );
  } finally {
    await connections.close();
  }
}

/** @param namespace that of the kubeconfig's context when undefined @throws when there is no such cell */
export async function withCell<T>(
  name: string,
  namespace: string | undefined,
  work: (cell: Cell, api: KubeApi) => Promise<T>,
): Promise<T> {
  return await withKubernetes(async (api, own) => {
    const at = { name, namespace: namespace ?? own };
    const cell = await api.get<Cell>(TYPES.cell, at);
    if (!cell) throw new Error(`There is no cell ${name} in namespace ${at.namespace}.`);
    return await work(cell, api);
  });
}
