// What an operator needs of an API server before it starts outside of any cluster, and the settings that it starts with.
import type { ApiServer } from '../real/apiserver.ts';
import { renderChart } from './helm.ts';

const NAMESPACE = 'cellpost';
const RIGHTS = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding']);

export async function installCrds(server: ApiServer): Promise<void> {
  await server.kubectl(['apply', '-f', 'crds/']);
  await waitForCrds(server);
}

export async function waitForCrds(server: ApiServer): Promise<void> {
  await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
}

/**
 * The CRDs, the operator's namespace, and its service account with the rights that the chart gives it.
 * @returns a kubeconfig of that account: it may do what the chart allows, no more
 */
export async function installForOperator(server: ApiServer): Promise<string> {
  await installCrds(server);
  await server.kubectl(['create', 'namespace', NAMESPACE]);
  await server.apply(...(await renderChart()).filter(({ kind }) => RIGHTS.has(kind)));
  return await server.kubeconfigOf(NAMESPACE, 'cellpost-operator');
}

/** The environment of an operator that has any free port. */
export function operatorSettings(kubeconfig: string, identity: string): Record<string, string> {
  return {
    KUBECONFIG: kubeconfig,
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_LOG_LEVEL: process.env.CELLPOST_LOG_LEVEL ?? 'silent',
    CELLPOST_OPERATOR_NAMESPACE: NAMESPACE,
    CELLPOST_OPERATOR_IDENTITY: identity,
    CELLPOST_IMAGE: 'localhost/cellpost:1.0',
    CELLPOST_HBASE_IMAGE: 'localhost/hbase:1.0',
    CELLPOST_MEMCACHED_IMAGE: 'localhost/memcached:1.0',
  };
}
