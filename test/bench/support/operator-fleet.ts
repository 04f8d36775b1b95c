// A Kubernetes for many cells without a machine for them: a real API server and its controllers, and kwok, which says of each
// pod that it runs. There is no scheduler: a policy of the API server puts each new pod on the one node there is.
import { spawn, type ChildProcess } from 'node:child_process';
import { KubeApi } from '../../../operator/runtime/api.ts';
import { Connections } from '../../../operator/runtime/connections.ts';
import { OperatorMetrics } from '../../../operator/runtime/metrics.ts';
import { KubeConfig } from '@kubernetes/client-node';
import { kwokBinary } from '../../cluster/binaries.ts';
import { startApiServer, type ApiServer } from '../../real/apiserver.ts';
import { installForOperator } from '../../support/operator-set-up.ts';
import { until } from '../../support/wait.ts';
import { WorkloadMetrics } from '../../../workloads/common/metrics/workload-metrics.ts';

export const NAMESPACE = 'cellpost';
const NODE = 'fake';
const DEADLINE_MS = 60_000;
/** Of Kubernetes' own controllers, which by themselves ask 20 times a second: the fleet waits for the operator, not them. */
const CONTROLLER_FLAGS = [
  '--kube-api-qps=5000',
  '--kube-api-burst=10000',
  '--concurrent-statefulset-syncs=20',
  '--concurrent-endpoint-syncs=2',
  '--controllers=statefulset-controller,deployment-controller,replicaset-controller,serviceaccount-controller,' +
    'disruption-controller,endpointslice-controller,garbage-collector-controller,root-ca-certificate-publisher-controller',
];
/** 1,000 cells with all versions of their objects are more than etcd's default of 2 GB. */
const ETCD_FLAGS = ['--quota-backend-bytes=8589934592'];
const SERVER_FLAGS = [
  '--feature-gates=MutatingAdmissionPolicy=true',
  '--runtime-config=admissionregistration.k8s.io/v1beta1=true',
];

const PLACING = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1beta1',
    kind: 'MutatingAdmissionPolicy',
    metadata: { name: 'place-pods' },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
        ],
      },
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: `Object{spec: Object.spec{nodeName: "${NODE}"}}` },
        },
      ],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1beta1',
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: 'place-pods' },
    spec: { policyName: 'place-pods' },
  },
];

export type Fleet = {
  /** Of the operator's service account, with the chart's rights. */
  kubeconfig: string;
  /** The same, by the operator's own client. */
  api: KubeApi;
  metrics: OperatorMetrics;
  /** May do anything. */
  admin: KubeApi;
  close(): Promise<void>;
};

export async function startFleet(): Promise<Fleet> {
  const kwok = await kwokBinary();
  const server = await startApiServer({
    controllers: true,
    flags: { etcd: ETCD_FLAGS, server: SERVER_FLAGS, controllers: CONTROLLER_FLAGS },
  });
  let nodes: ChildProcess | undefined;
  const closers: (() => Promise<unknown>)[] = [() => server.close(), async () => nodes?.kill('SIGKILL')];
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).toReversed()) await one();
  };
  try {
    const kubeconfig = await installForOperator(server);
    await prepare(server);
    nodes = spawn(kwok, ['--kubeconfig', server.kubeconfig, '--manage-all-nodes=true'], { stdio: 'ignore' });
    const asOperator = new KubeConfig();
    asOperator.loadFromFile(kubeconfig);
    const open = (config: KubeConfig): { api: KubeApi; metrics: OperatorMetrics } => {
      const connections = new Connections(config);
      closers.push(() => connections.close());
      const metrics = new OperatorMetrics(new WorkloadMetrics('operator'));
      return { api: new KubeApi(connections, metrics), metrics };
    };
    return { kubeconfig, ...open(asOperator), admin: open(server.config).api, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepare(server: ApiServer): Promise<void> {
  await server.apply(...PLACING, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NODE },
    spec: { podCIDR: '10.64.0.0/12' },
  });
  await server.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cellpost-s3', namespace: NAMESPACE },
    stringData: { accessKeyId: 'id', secretAccessKey: 'key' },
  });
  const probe = ['run', 'probe', '-n', NAMESPACE, '--image=probe', '--dry-run=server', '-o', 'json'];
  // Policies are in force a moment after they were made; pods want their namespace's service account.
  await until(async () => (await server.kubectl(probe).catch(() => '')).includes(`"nodeName": "${NODE}"`), {
    timeoutMs: DEADLINE_MS,
    what: 'a pod that is put on the node',
  });
}
