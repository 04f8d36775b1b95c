import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import type { CellContext } from '../cell/context.ts';
import { appServerResources, credentialsSecret } from '../cell/resources/app-servers.ts';
import { cellEnsembleResources } from '../cell/resources/ensemble.ts';
import { hbaseResources } from '../cell/resources/hbase.ts';
import { bytesOf } from '../runtime/quantity.ts';
import type { KubeObject } from '../runtime/resources.ts';
import type { CellSpec, Resources } from '../types.ts';
import { heapMib } from './java.ts';
import { imageAt, versionOf } from './service-pod.ts';

const resources = (memory: string): Resources => ({
  requests: { cpu: '50m', memory: '64Mi' },
  limits: { memory },
});
const spec: CellSpec = {
  state: 'Enabled',
  dataCenter: 'default',
  platform: { name: 'cellpost' },
  zookeeper: { replicas: 3, storage: { size: '1Gi' }, resources: resources('192Mi') },
  hbase: {
    storage: 'Local',
    masters: 2,
    regionServers: 3,
    volume: { size: '10Gi', className: 'fast' },
    regions: 4,
    master: { resources: resources('448Mi') },
    regionServer: { resources: resources('768Mi') },
    rest: { resources: resources('320Mi') },
  },
  appServers: { replicas: 2, tokens: 64, cacheBytes: 67_108_864, resources: resources('512Mi') },
  rollout: {
    paused: false,
    gates: { maxErrorPercent: 5, maxP99Ms: 2_000, minRequests: 200, observeSeconds: 30, readyMinutes: 10 },
  },
};
const context: CellContext = {
  owner: {
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    name: 'a',
    namespace: 'mail',
    uid: '11111111-2222-3333-4444-555555555555',
    domain: 'cluster.local',
  },
  platform: { name: 'cellpost', namespace: 'shared' },
  images: {
    asked: { cellpost: 'registry:5000/cellpost:1.2', hbase: 'hbase:1' },
    defaultHbase: 'hbase:1',
    cellpost: 'registry:5000/cellpost:1.2',
    hbase: 'hbase:1',
    pullPolicy: 'IfNotPresent',
  },
  blobStoreUrl: 's3://blobs?endpoint=http%3A%2F%2Fs3%3A7070&region=us-east-1',
  userIndexUrl: 'http://main-user-index.cellpost.svc.cluster.local:8083',
  operatorNamespace: 'system',
  operatorLabels: { 'app.kubernetes.io/component': 'operator' },
  scrapers: [],
  egress: { restricted: true, blobs: { ports: [7070] }, traces: [], more: [] },
  tracing: undefined,
};

const build = (): KubeObject[] => [
  ...cellEnsembleResources(context, spec),
  ...hbaseResources(context, spec),
  credentialsSecret(context.owner, { platformToken: 'secret' }),
  ...appServerResources(context, spec, { platformToken: 'secret' }),
];

type Set = KubeObject & { spec: { template: V1PodTemplateSpec } };
const sets = (): Set[] => build().filter((object): object is Set => object.kind === 'StatefulSet');

test('the same spec gives the same objects, byte for byte', () => {
  assert.equal(JSON.stringify(build()), JSON.stringify(build()));
});

test('every object belongs to the cell and goes with it', () => {
  for (const { metadata } of build()) {
    assert.equal(metadata.namespace, 'mail');
    assert.equal(metadata.ownerReferences?.[0]?.uid, context.owner.uid);
    assert.equal(metadata.labels?.['app.kubernetes.io/managed-by'], 'cellpost');
    assert.equal(metadata.labels?.['cellpost.dev/cell'], 'a');
  }
});

test('each role has a StatefulSet, a headless Service, a budget and a policy of one name', () => {
  for (const name of ['a-zk', 'a-hbase', 'a-app']) {
    const mine = build().filter(({ metadata }) => metadata.name === name);
    const kinds = new Set(mine.map(({ kind }) => kind));
    for (const kind of ['StatefulSet', 'Service', 'PodDisruptionBudget', 'NetworkPolicy'])
      assert.ok(kinds.has(kind), `${kind} ${name}`);
  }
});

test('all pods pass the restricted level and have limits and all three probes', () => {
  for (const set of sets()) {
    const pod = set.spec.template.spec;
    assert.equal(pod?.securityContext?.runAsNonRoot, true);
    assert.equal(pod?.securityContext?.seccompProfile?.type, 'RuntimeDefault');
    assert.equal(pod?.automountServiceAccountToken, false);
    assert.equal(pod?.enableServiceLinks, false);
    for (const container of pod?.containers ?? []) {
      assert.equal(container.securityContext?.readOnlyRootFilesystem, true);
      assert.equal(container.securityContext?.allowPrivilegeEscalation, false);
      assert.deepEqual(container.securityContext?.capabilities?.drop, ['ALL']);
      assert.ok(container.resources?.limits?.memory);
      assert.ok(
        container.startupProbe && container.livenessProbe && container.readinessProbe,
        container.name,
      );
    }
  }
});

test('no secret is in a pod’s environment or in a ConfigMap', () => {
  const others = build().filter(({ kind }) => kind !== 'Secret');
  assert.ok(!JSON.stringify(others).includes('"secret"'));
});

test('a JVM gets three quarters of its memory, less where the rest would not fit', () => {
  assert.equal(heapMib(resources('4Gi'), 160), 3072);
  assert.equal(heapMib(resources('448Mi'), 160), 288);
  for (const set of sets()) {
    for (const container of set.spec.template.spec?.containers ?? []) {
      const heap = /-Xmx(?<mib>\d+)m/.exec(JSON.stringify(container))?.groups?.mib;
      if (heap === undefined) continue;
      const share = (Number(heap) * 2 ** 20) / bytesOf(container.resources?.limits?.memory ?? '0');
      assert.ok(share >= 0.5 && share <= 0.8, `${container.name}: ${share}`);
    }
  }
});

test('a version replaces the tag of an image, wherever its registry is', () => {
  assert.equal(imageAt('cellpost:1', '2'), 'cellpost:2');
  assert.equal(imageAt('registry:5000/x/cellpost', '2'), 'registry:5000/x/cellpost:2');
  assert.equal(imageAt('registry:5000/x/cellpost:1@sha256:abc', '2'), 'registry:5000/x/cellpost:2');
  assert.equal(imageAt('cellpost:1', undefined), 'cellpost:1');
  assert.equal(versionOf('registry:5000/cellpost:1.2'), '1.2');
  assert.equal(versionOf('cellpost@sha256:abc'), 'sha256:abc');
  assert.equal(versionOf('registry:5000/cellpost'), 'latest');
});

test('a new pod template follows from a new config or new credentials only', () => {
  const template = (credentials: Record<string, string>, owner = context): string => {
    const set = appServerResources(owner, spec, credentials).find(({ kind }) => kind === 'StatefulSet');
    return JSON.stringify((set as Set).spec.template);
  };
  assert.equal(template({ platformToken: 'x' }), template({ platformToken: 'x' }));
  assert.notEqual(template({ platformToken: 'x' }), template({ platformToken: 'y' }));
});
