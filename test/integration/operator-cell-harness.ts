import { after, afterEach, before, beforeEach } from 'node:test';
import { discoveryAdmin } from '../../operator/outside/discovery.ts';
import { start, type RunningOperator } from '../../operator/main.ts';
import type { Cell } from '../../operator/types.ts';
import type { SchemaOptions } from '../../workloads/common/hbase/schema.ts';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { standInForDiscovery, type DiscoveryStandIn } from '../support/discovery-stand-in.ts';
import { installForOperator, operatorSettings } from '../support/operator-set-up.ts';
import { until } from '../support/wait.ts';

// The API server is real; there is no node, so the tests say themselves when pods are ready, and stand in for discovery
// and HBase, which the cluster suite has for real.
const DEADLINE_MS = 60_000;

export let server: ApiServer;
let kubeconfig: string;
export let operator: RunningOperator;
export let discovery: DiscoveryStandIn;
export const schemas: SchemaOptions[] = [];

export const startOperator = (identity = 'test'): Promise<RunningOperator> =>
  start(operatorSettings(kubeconfig, identity), {
    discovery: (_url, token) => discoveryAdmin(discovery.url, token),
    async ensureSchema(options) {
      schemas.push(options);
    },
  });

/** Ends the operator, if it runs, and starts it again under another name. */
export async function restartOperator(identity: string): Promise<void> {
  await operator.close();
  operator = await startOperator(identity);
}

before(async () => {
  server = await startApiServer();
  kubeconfig = await installForOperator(server);
  discovery = await standInForDiscovery();
});

after(async () => {
  discovery?.close();
  await server?.close();
});

beforeEach(async () => {
  schemas.length = 0;
  discovery.cells.clear();
  discovery.buckets = 0;
  operator = await startOperator();
});

afterEach(async () => {
  await operator.close();
});

export async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await server.kubectl([...args, '-o', 'json'])) as T;
}

export const exists = (kind: string, name: string): Promise<boolean> =>
  server.kubectl(['get', kind, name, '--ignore-not-found', '-o', 'name']).then((text) => text !== '');

export const waitFor = <T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> =>
  until(ask, { timeoutMs: DEADLINE_MS, what });

export const waitForExisting = (kind: string, name: string): Promise<boolean> =>
  waitFor(`${kind} ${name}`, () => exists(kind, name));

/** Says what a controller and a node would: all pods run and are ready. */
export async function markReady(
  kind: 'statefulset' | 'deployment',
  name: string,
  ready?: number,
): Promise<void> {
  await waitForExisting(kind, name);
  const set = await json<{ metadata: { generation: number }; spec: { replicas: number } }>('get', kind, name);
  const { replicas } = set.spec;
  const status = {
    observedGeneration: set.metadata.generation,
    replicas,
    readyReplicas: ready ?? replicas,
    updatedReplicas: replicas,
    availableReplicas: ready ?? replicas,
    ...(kind === 'statefulset' && { currentRevision: 'r1', updateRevision: 'r1' }),
  };
  await server.kubectl([
    'patch',
    kind,
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  ]);
}

export async function applyPlatform(name = 'cellpost'): Promise<void> {
  await server.apply(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's3', namespace: 'default' },
      stringData: { accessKeyId: 'id', secretAccessKey: 'key' },
    },
    {
      apiVersion: 'cellpost.dev/v1alpha1',
      kind: 'Platform',
      metadata: { name, namespace: 'default' },
      spec: {
        blobStore: { s3: { endpoint: 'http://s3:7070', bucket: 'blobs', secretRef: { name: 's3' } } },
        zookeeper: { replicas: 1 },
      },
    },
  );
}

export const applyCell = (name: string, spec: unknown = {}): Promise<string> =>
  server.apply({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    metadata: { name, namespace: 'default' },
    spec,
  });

export const getCell = (name: string): Promise<Cell> => json<Cell>('get', 'cell', name);

export const condition = (cell: Cell, type: string): string | undefined =>
  cell.status?.conditions?.find((one) => one.type === type)?.status;

export const waitForCondition = (name: string, type: string, status: string): Promise<Cell> =>
  waitFor(`cell ${name} to be ${type}=${status}`, async () => {
    const cell = await getCell(name);
    return condition(cell, type) === status && cell;
  });

export async function bringUp(name: string, spec: unknown = {}): Promise<Cell> {
  await applyPlatform();
  await applyCell(name, spec);
  for (const role of ['zk', 'hbase', 'app']) await markReady('statefulset', `${name}-${role}`);
  return await waitForCondition(name, 'Ready', 'True');
}

export async function remove(kind: string, name: string): Promise<void> {
  await server.kubectl(['delete', kind, name, '--wait=false', '--ignore-not-found']);
  await waitFor(`${kind} ${name} to be gone`, async () => !(await exists(kind, name)));
}

export async function removeAll(...cells: string[]): Promise<void> {
  for (const name of cells) {
    await server.kubectl(['annotate', 'cell', name, 'cellpost.dev/delete-with-data=true', '--overwrite']);
    await remove('cell', name);
  }
}

/** The sum of a metric of the operator over its labels, without lines that speak of `except`. */
export async function metric(name: string, except = '\n', url = operator.url): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.includes(except))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** A controller's word: the StatefulSet has no pods any more, as it was asked to. */
export async function markStopped(name: string): Promise<void> {
  await waitFor(`statefulset ${name} to want no pods`, async () => {
    const set = await json<{ spec: { replicas: number } }>('get', 'statefulset', name);
    return set.spec.replicas === 0;
  });
  await markReady('statefulset', name);
}

export const replicasOf = async (name: string): Promise<number> =>
  (await json<{ spec: { replicas: number } }>('get', 'statefulset', name)).spec.replicas;

export const becomes = (name: string, state: string): Promise<string> =>
  server.kubectl(['patch', 'cell', name, '--type=merge', '-p', JSON.stringify({ spec: { state } })]);
