import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import type { ConfigMap, NetworkPolicy, Service, StatefulSet } from '../../resources/manifests.ts';
import { script } from '../../resources/scripts.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec, Resources, StorageRecord, StoredRole } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { neededOf } from '../storage-steps.ts';
import { cellEnsembleResources } from './ensemble.ts';
import { logStoreUrl, schemaServers, storageResources, storageRoles } from './storage.ts';

const resources = (memory: string): Resources => ({ limits: { memory } });
const stored = (replicas: number, memory: string): StoredRole => ({
  replicas,
  volume: { size: '5Gi' },
  resources: resources(memory),
});
const cellSpec = (nameNodes: number): CellSpec => ({
  state: 'Enabled',
  dataCenter: 'default',
  platform: { name: 'cellpost' },
  zookeeper: { replicas: 3, storage: { size: '1Gi' }, resources: resources('192Mi') },
  hbase: {
    storage: 'HDFS',
    hdfs: {
      replication: 2,
      nameNodes: stored(nameNodes, '448Mi'),
      journalNodes: stored(3, '288Mi'),
      dataNodes: stored(3, '448Mi'),
    },
    masters: 2,
    regionServers: 2,
    volume: { size: '10Gi' },
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
});
const context: CellContext = {
  owner: {
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    name: 'a',
    namespace: 'mail',
    uid: 'uid-1',
    domain: 'cluster.local',
  },
  platform: { name: 'cellpost', namespace: 'shared' },
  images: {
    asked: { cellpost: 'cellpost:1', hbase: 'hbase:1' },
    defaultHbase: 'hbase:1',
    cellpost: 'cellpost:1',
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

const build = (spec: CellSpec, record: StorageRecord = {}): KubeObject[] =>
  storageRoles(spec).flatMap(({ role }) => storageResources(context, spec, role, record));
const setsOf = (objects: KubeObject[]): StatefulSet[] =>
  objects.filter((object): object is StatefulSet => object.kind === 'StatefulSet');
const configOf = (objects: KubeObject[], name: string): Record<string, string> =>
  (objects.find((one) => one.kind === 'ConfigMap' && one.metadata.name === name) as ConfigMap).data;

test('HDFS and HBase on it are a StatefulSet, a headless Service, a budget and a policy for each role', () => {
  const objects = build(cellSpec(2));
  const names = setsOf(objects).map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['a-jn', 'a-nn', 'a-dn', 'a-hm', 'a-rs', 'a-rest']);
  for (const name of names) {
    const kinds = objects.filter(({ metadata }) => metadata.name === name).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['ConfigMap', 'Service', 'PodDisruptionBudget', 'NetworkPolicy', 'StatefulSet']);
  }
});

test('all its containers pass the restricted level, and those that stay have all three probes', () => {
  for (const { spec } of setsOf(build(cellSpec(2)))) {
    const pod = spec.template.spec;
    const check = ({ securityContext, resources: used }: V1Container): void => {
      assert.equal(securityContext?.readOnlyRootFilesystem, true);
      assert.equal(securityContext?.allowPrivilegeEscalation, false);
      assert.deepEqual(securityContext?.capabilities?.drop, ['ALL']);
      assert.ok(used?.limits?.memory);
    };
    pod?.initContainers?.forEach(check);
    for (const container of pod?.containers ?? []) {
      check(container);
      assert.ok(container.startupProbe && container.livenessProbe && container.readinessProbe);
      const heap = Number(/-Xmx(?<mib>\d+)m/.exec(container.command?.join(' ') ?? '')?.groups?.mib);
      const share = heap / Number(container.resources?.limits?.memory?.replace('Mi', ''));
      assert.ok(share >= 0.5 && share <= 0.8, `${container.name}: ${share}`);
    }
  }
});

test('a single NameNode has no journals and no failover controller', () => {
  const objects = build(cellSpec(1));
  const names = setsOf(objects).map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['a-nn', 'a-dn', 'a-hm', 'a-rs', 'a-rest']);
  const [set] = setsOf(objects);
  assert.deepEqual(
    set?.spec.template.spec?.containers.map(({ name }) => name),
    ['name-node'],
  );
  const site = configOf(objects, 'a-nn')['hdfs-site.xml'] ?? '';
  assert.doesNotMatch(site, /qjournal|dfs\.ha\./);
  assert.match(configOf(objects, 'a-rs')['hbase-site.xml'] ?? '', /hdfs:\/\/a-nn-0\.mail\.svc/);
});

test('NameNodes are known to their clients by addresses that outlive pods, and to each other by their pods', () => {
  const objects = build(cellSpec(2));
  for (const pod of ['a-nn-0', 'a-nn-1']) {
    const found = objects.filter(({ kind, metadata }) => kind === 'Service' && metadata.name === pod);
    const [{ spec } = assert.fail()] = found as Service[];
    assert.equal(spec.clusterIP, undefined, 'the cluster gives it an address');
    assert.equal(spec.publishNotReadyAddresses, true);
    assert.equal(spec.selector?.['statefulset.kubernetes.io/pod-name'], pod);
    assert.deepEqual(
      spec.ports?.map(({ port }) => port),
      [8020, 9870],
    );
  }
  const rpcAddress = (role: string): string | undefined =>
    /dfs\.namenode\.rpc-address\.cell\.a-nn-0<\/name><value>([^<]*)</.exec(
      configOf(objects, role)['hdfs-site.xml'] ?? '',
    )?.[1];
  for (const client of ['a-rs', 'a-hm', 'a-dn', 'a-jn'])
    assert.equal(rpcAddress(client), 'a-nn-0.mail.svc.cluster.local:8020');
  assert.equal(rpcAddress('a-nn'), 'a-nn-0.a-nn.mail.svc.cluster.local:8020');
});

test('what is recorded of the format changes a file that NameNodes read at their start, and restarts none', () => {
  const spec = cellSpec(2);
  const [before, after] = [
    build(spec, { clusterId: 'CID-1' }),
    build(spec, { clusterId: 'CID-1', formattedAt: '2026-01-01T00:00:00Z' }),
  ];
  assert.equal(configOf(before, 'a-nn').formatted, 'no');
  assert.equal(configOf(after, 'a-nn').formatted, 'yes');
  assert.deepEqual(setsOf(before), setsOf(after));
});

test('more DataNodes, region servers or masters restart no server of another role', () => {
  const few = cellSpec(2);
  const many = structuredClone(few);
  many.hbase.regionServers = 5;
  if (many.hbase.hdfs) many.hbase.hdfs.dataNodes.replicas = 6;
  const templates = (spec: CellSpec): unknown[] => setsOf(build(spec)).map((set) => set.spec.template);
  assert.deepEqual(templates(few), templates(many));
  assert.equal(logStoreUrl(context.owner, few), logStoreUrl(context.owner, many));
});

test('DataNodes that leave or rest are named in a file that NameNodes read, and nothing restarts', () => {
  const before = build(cellSpec(2));
  const after = build(cellSpec(2), {
    leaving: ['a-dn-2', 'a-rs-1', 'a-dn-7'],
    resting: { pod: 'a-dn-1', until: '2026-01-01T00:00:00Z' },
  });
  assert.equal(configOf(before, 'a-nn')['data-nodes.json'], '[]\n');
  assert.deepEqual(JSON.parse(configOf(after, 'a-nn')['data-nodes.json'] ?? ''), [
    {
      hostName: 'a-dn-1.a-dn.mail.svc.cluster.local',
      adminState: 'IN_MAINTENANCE',
      maintenanceExpireTimeInMS: Date.UTC(2026, 0, 1),
    },
    { hostName: 'a-dn-2.a-dn.mail.svc.cluster.local', adminState: 'DECOMMISSIONED' },
  ]);
  assert.match(
    configOf(after, 'a-nn')['hdfs-site.xml'] ?? '',
    /dfs\.hosts<\/name><value>\/conf\/data-nodes\.json</,
  );
  assert.deepEqual(setsOf(after), setsOf(before));
});

test('ZooKeeper that grows from three members to five restarts none of them, nor whoever connects to them', () => {
  const three = cellSpec(2);
  const five: CellSpec = { ...three, zookeeper: { ...three.zookeeper, replicas: 5 } };
  const templates = (spec: CellSpec): unknown[] =>
    setsOf([...cellEnsembleResources(context, spec), ...build(spec)]).map((set) => set.spec.template);
  assert.deepEqual(templates(five), templates(three));
  assert.equal(configOf(cellEnsembleResources(context, five), 'a-zk').members, '5');
  const joining: CellSpec = { ...three, zookeeper: { ...three.zookeeper, servers: 5 } };
  const objects = cellEnsembleResources(context, joining);
  assert.equal(setsOf(objects)[0]?.spec.replicas, 5);
  assert.equal(configOf(objects, 'a-zk').members, '3', 'those that join are no members yet');
});

test('servers that hold data together never share a node while there is another one', () => {
  const sets = setsOf([...cellEnsembleResources(context, cellSpec(2)), ...build(cellSpec(2))]);
  const strict = sets
    .filter(({ spec }) =>
      spec.template.spec?.topologySpreadConstraints?.some(
        ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
      ),
    )
    .map(({ metadata }) => metadata.name);
  assert.deepEqual(strict, ['a-zk', 'a-jn', 'a-nn', 'a-dn']);
});

test('app servers and the schema begin at the masters, whichever of them rules', () => {
  const spec = cellSpec(2);
  const [first, second] = [0, 1].map((n) => `a-hm-${n}.a-hm.mail.svc.cluster.local:16000`);
  assert.equal(
    logStoreUrl(context.owner, spec),
    `hbase://${first},${second},a-rs-0.a-rs.mail.svc.cluster.local:16020/cellpost`,
  );
  assert.equal(schemaServers(context.owner, spec).master, `${first},${second}`);
});

test('ZooKeeper lets in those who need it: HBase, and the controllers beside NameNodes, and the operator', () => {
  const policies = (spec: CellSpec): string[] =>
    cellEnsembleResources(context, spec)
      .filter((object): object is NetworkPolicy => object.kind === 'NetworkPolicy')
      .flatMap(({ spec: { ingress } }) => ingress[0]?.from ?? [])
      .map(({ podSelector }) => podSelector?.matchLabels['app.kubernetes.io/component'] ?? '');
  assert.deepEqual(policies(cellSpec(2)), [
    'name-node',
    'hbase-master',
    'region-server',
    'hbase-rest',
    'app-server',
    'discovery',
    'operator',
  ]);
});

test('all of HDFS must be there before it is formatted; later a majority, one NameNode, one DataNode', () => {
  const blank = { formatted: false, schema: false, replication: 2 };
  const grown = { formatted: true, schema: true, replication: 2 };
  assert.deepEqual(
    [neededOf('journal-node', 3, blank), neededOf('name-node', 2, blank), neededOf('data-node', 3, blank)],
    [3, 2, 2],
  );
  assert.deepEqual(
    [neededOf('journal-node', 3, grown), neededOf('name-node', 2, grown), neededOf('data-node', 3, grown)],
    [2, 1, 1],
  );
  for (const so of [blank, grown])
    assert.equal(neededOf('hbase-master', 1, so), 0, 'a master is ready when there is a region server');
  assert.equal(neededOf('region-server', 2, grown), 1);
});

/** Runs the format script with a `java` and an `nc` that only tell what they were asked. */
function format(options: { formatted: string; ordinal: number; files?: string[]; pair?: boolean }): {
  told: string;
  code: number | null;
} {
  const home = mkdtempSync(join(tmpdir(), 'cellpost-format-'));
  try {
    const data = join(home, 'data');
    const bin = join(home, 'bin');
    for (const folder of [join(data, 'name/current'), bin]) mkdirSync(folder, { recursive: true });
    for (const file of options.files ?? []) writeFileSync(join(data, file), '');
    writeFileSync(join(home, 'formatted'), options.formatted);
    writeFileSync(
      join(bin, 'java'),
      '#!/bin/sh\nshift 2\necho "java ${1##*.} $(echo "$@" | cut -d" " -f2-)"\n',
      {
        mode: 0o755,
      },
    );
    writeFileSync(join(bin, 'nc'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const text = script('hdfs-name-node-format.sh')
      .replaceAll('/data/', `${data}/`)
      .replaceAll('/conf/', `${home}/`)
      .replaceAll('/dev/termination-log', join(home, 'log'));
    const { stdout, status } = spawnSync('sh', ['-c', text], {
      encoding: 'utf8',
      env: {
        PATH: `${bin}:${process.env.PATH ?? ''}`,
        CLUSTER_ID: 'CID-1',
        CLASS_PATH: 'x',
        JVM_OPTIONS: '',
        JOURNALS: options.pair === false ? '' : 'j0 j1 j2',
        NAME_NODES: options.pair === false ? '' : 'nn-0 nn-1',
        POD_FQDN: `nn-${options.ordinal}`,
        POD_NAME: `nn-${options.ordinal}`,
      },
    });
    return { told: stdout, code: status };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test('a NameNode formats itself only as the first of a cluster that is not recorded as formatted', () => {
  const first = format({ formatted: 'no', ordinal: 0 });
  assert.match(first.told, /^java NameNode -format -nonInteractive -clusterId CID-1\s*$/m);
  assert.equal(first.code, 0);
  for (const asked of [
    { formatted: 'yes', ordinal: 0 },
    { formatted: 'yes', ordinal: 1 },
    { formatted: 'no', ordinal: 1 },
  ]) {
    const { told, code } = format(asked);
    assert.doesNotMatch(told, /-format -nonInteractive -clusterId/);
    assert.match(told, /^java NameNode -bootstrapStandby -nonInteractive\s*$/m);
    assert.equal(code, 0);
  }
});

test('a format that was cut off is done again, and one that ended is left alone', () => {
  const again = format({ formatted: 'no', ordinal: 0, files: ['name/current/VERSION'] });
  assert.match(again.told, /-format -nonInteractive -clusterId CID-1 -force/);
  const ended = format({ formatted: 'no', ordinal: 0, files: ['name/current/VERSION', 'formatted'] });
  assert.doesNotMatch(ended.told, /java NameNode/);
});

test('a single NameNode formats itself once, with no journals to wait for and no failover to prepare', () => {
  const first = format({ formatted: 'no', ordinal: 0, pair: false });
  assert.match(first.told, /^java NameNode -format -nonInteractive -clusterId CID-1\s*$/m);
  assert.doesNotMatch(first.told, /DFSZKFailoverController|bootstrapStandby/);
  assert.equal(first.code, 0);
  const again = format({
    formatted: 'yes',
    ordinal: 0,
    pair: false,
    files: ['name/current/VERSION', 'formatted'],
  });
  assert.doesNotMatch(again.told, /java/);
  assert.equal(again.code, 0);
});

test('a single NameNode whose volume is blank, though HDFS is recorded, waits with a sentence', () => {
  const { told, code } = format({ formatted: 'yes', ordinal: 0, pair: false });
  assert.doesNotMatch(told, /java/);
  assert.match(told, /blank, though HDFS was formatted as CID-1\. There is no other NameNode/);
  assert.equal(code, 1);
});
