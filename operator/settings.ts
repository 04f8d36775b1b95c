// What the operator is told by its environment.
import { z } from 'zod';
import { commonVariables, port, readEnvironment } from '../workloads/common/config/env.ts';
import { COMPONENT } from './resources/owner.ts';
import type { Images } from './types.ts';

const MAX_WORKERS = 64;

const schema = z.object({
  CELLPOST_HTTP_HOST: commonVariables.CELLPOST_HTTP_HOST,
  CELLPOST_LOG_LEVEL: commonVariables.CELLPOST_LOG_LEVEL,
  CELLPOST_VERSION: commonVariables.CELLPOST_VERSION,
  CELLPOST_HTTP_PORT: port.default(8083),
  /** Where the operator runs: its lease is there. */
  CELLPOST_OPERATOR_NAMESPACE: z.string().min(1).default('cellpost-system'),
  /** Names this process among its replicas; the pod's name. */
  CELLPOST_OPERATOR_IDENTITY: z.string().min(1).default(`operator-${process.pid}`),
  CELLPOST_CLUSTER_DOMAIN: z.string().min(1).default('cluster.local'),
  CELLPOST_IMAGE: z.string().min(1),
  CELLPOST_HBASE_IMAGE: z.string().min(1),
  CELLPOST_MEMCACHED_IMAGE: z.string().min(1),
  /** The name of a headless Service of the operator's pods: consoles look at them by it. Absent: they don't. */
  CELLPOST_OPERATOR_PODS: z.string().min(1).optional(),
  CELLPOST_OPERATOR_WORKERS: z.coerce.number().int().min(1).max(MAX_WORKERS).default(8),
  /** A kubeconfig; absent: the service account of the pod. */
  KUBECONFIG: z.string().optional(),
});

export type Settings = {
  http: { host: string; port: number };
  logLevel: string;
  version: string;
  namespace: string;
  /** Of the operator's own pods. */
  labels: Record<string, string>;
  identity: string;
  /** A name in DNS that stands for all of its pods, and their port. */
  pods: { host: string; port: number } | undefined;
  domain: string;
  images: Images;
  workers: number;
  kubeconfig: string | undefined;
};

/** @throws ConfigError */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(schema, env);
  const { CELLPOST_OPERATOR_PODS: pods, CELLPOST_OPERATOR_NAMESPACE: namespace } = values;
  return {
    http: { host: values.CELLPOST_HTTP_HOST, port: values.CELLPOST_HTTP_PORT },
    logLevel: values.CELLPOST_LOG_LEVEL,
    version: values.CELLPOST_VERSION,
    namespace,
    labels: { 'app.kubernetes.io/name': 'cellpost', [COMPONENT]: 'operator' },
    identity: values.CELLPOST_OPERATOR_IDENTITY,
    pods:
      pods === undefined
        ? undefined
        : {
            host: `${pods}.${namespace}.svc.${values.CELLPOST_CLUSTER_DOMAIN}`,
            port: values.CELLPOST_HTTP_PORT,
          },
    domain: values.CELLPOST_CLUSTER_DOMAIN,
    images: {
      cellpost: values.CELLPOST_IMAGE,
      hbase: values.CELLPOST_HBASE_IMAGE,
      memcached: values.CELLPOST_MEMCACHED_IMAGE,
    },
    workers: values.CELLPOST_OPERATOR_WORKERS,
    kubeconfig: values.KUBECONFIG,
  };
}
