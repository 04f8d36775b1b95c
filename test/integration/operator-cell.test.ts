import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyCell,
  applyPlatform,
  becomes,
  bringUp,
  condition,
  discovery,
  exists,
  getCell,
  json,
  markReady,
  markStopped,
  metric,
  operator,
  remove,
  removeAll,
  replicasOf,
  restartOperator,
  schemas,
  server,
  startOperator,
  waitFor,
  waitForCondition,
  waitForExisting,
} from './operator-cell-harness.ts';
import { rights } from './operator-rights.ts';

type Summary = { summary?: string };

test('a cell comes up step by step, each step after the one before is ready', async () => {
  await applyPlatform();
  await applyCell('steps');
  await waitForExisting('statefulset', 'steps-zk');
  const waiting = await waitFor('the first sentence', async () => {
    const cell = await getCell('steps');
    return cell.status?.phase ? cell : undefined;
  });
  assert.match(
    waiting.status?.phase ?? '',
    /^Start ZooKeeper: 3 of 3 ZooKeeper servers must be ready; 0 are\.$/,
  );
  assert.equal(waiting.status?.nextAction, 'Start ZooKeeper');
  assert.equal(condition(waiting, 'Ready'), 'False');
  assert.equal(condition(waiting, 'Progressing'), 'True');
  assert.equal(condition(waiting, 'Degraded'), 'False');

  await markReady('statefulset', 'steps-zk', 2);
  await waitFor('two of three', async () => (await getCell('steps')).status?.zookeeper?.summary === '2/3');
  assert.ok(!(await exists('statefulset', 'steps-hbase')), 'a new ensemble waits for all its members');
  await markReady('statefulset', 'steps-zk');
  await waitForExisting('statefulset', 'steps-hbase');
  assert.deepEqual(schemas, []);
  await markReady('statefulset', 'steps-hbase');
  await waitForExisting('statefulset', 'steps-app');
  assert.deepEqual(schemas, [
    {
      restUrl: 'http://steps-hbase-0.steps-hbase.default.svc.cluster.local:8080',
      master: 'steps-hbase-0.steps-hbase.default.svc.cluster.local:16000',
      table: 'cellpost',
      regions: 4,
    },
  ]);
  assert.ok(!discovery.cells.has('steps'));
  await markReady('statefulset', 'steps-app');
  const ready = await waitForCondition('steps', 'Ready', 'True');
  assert.equal(ready.status?.phase, 'Serving');
  assert.equal(ready.status?.nextAction, '');
  assert.equal(ready.status?.version, '1.0');
  assert.equal(condition(ready, 'Progressing'), 'False');
  assert.deepEqual(
    ready.status?.conditions?.map((one) => one.observedGeneration),
    [1, 1, 1],
  );
  assert.deepEqual(discovery.cells.get('steps'), {
    state: 'Enabled',
    dataCenter: 'default',
    coordination:
      'zookeeper://' +
      [0, 1, 2].map((i) => `steps-zk-${i}.steps-zk.default.svc.cluster.local:2181`).join(',') +
      '/cellpost',
  });
  const table = await server.kubectl(['get', 'cells']);
  assert.match(table, /NAME +STATE +READY +ZK +HBASE +APP +VERSION +AGE +PHASE/);
  assert.match(table, /steps +Enabled +True +3\/3 +1\/1 +2\/2 +1\.0 +\d+s +Serving/);

  // The ensemble has been formed: with a majority the cell goes on being looked after.
  await markReady('statefulset', 'steps-zk', 2);
  await server.kubectl(['delete', 'statefulset', 'steps-hbase']);
  await waitForExisting('statefulset', 'steps-hbase');
  await removeAll('steps');
});

test('HDFS is recorded before it may be formatted, and as formatted before it gets data', async () => {
  await applyPlatform();
  await applyCell('blocks', { hbase: { storage: 'HDFS', hdfs: {} } });
  await markReady('statefulset', 'blocks-zk');
  await markReady('statefulset', 'blocks-jn', 2);
  const waiting = await waitFor('the JournalNodes to be waited for', async () => {
    const cell = await getCell('blocks');
    return cell.status?.nextAction === 'Start JournalNodes' && cell.status.hdfs?.ready === 2 && cell;
  });
  assert.match(waiting.status?.blockedBy ?? '', /^3 of 3 JournalNodes must be ready/);
  assert.equal(waiting.status?.hdfs?.clusterId, undefined);
  await markReady('statefulset', 'blocks-jn');
  await waitForExisting('statefulset', 'blocks-nn');
  const { status, metadata } = await getCell('blocks');
  assert.equal(status?.hdfs?.clusterId, `CID-${metadata.uid}`);
  assert.equal(status?.hdfs?.formattedAt, undefined);
  const formatted = async (): Promise<string> =>
    (await json<{ data: { formatted: string } }>('get', 'configmap', 'blocks-nn')).data.formatted;
  assert.equal(await formatted(), 'no');
  await restartOperator('another');
  await markReady('statefulset', 'blocks-nn');
  await waitForExisting('statefulset', 'blocks-dn');
  assert.ok((await getCell('blocks')).status?.hdfs?.formattedAt);
  assert.equal(await formatted(), 'yes');

  for (const role of ['dn', 'hm', 'rs', 'rest', 'app']) await markReady('statefulset', `blocks-${role}`);
  const ready = await waitForCondition('blocks', 'Ready', 'True');
  assert.equal(ready.status?.hdfs?.summary, '8/8');
  assert.equal(ready.status?.hbase?.summary, '6/6');
  assert.match(schemas[0]?.master ?? '', /^blocks-hm-0\.\S+:16000,blocks-hm-1\.\S+:16000$/);

  // Users of a cell whose table is made need no master and no REST server.
  await markReady('statefulset', 'blocks-hm', 0);
  const without = await waitFor('the masters to be missed', async () => {
    const cell = await getCell('blocks');
    return cell.status?.hbase?.ready === 4 && cell;
  });
  assert.equal(condition(without, 'Ready'), 'True');
  assert.match(without.status?.phase ?? '', /^Serving\. Complete HBase masters: 2 pods must be ready; 0 are/);
  await removeAll('blocks');
  for (const role of ['jn', 'nn', 'dn', 'hm', 'rs', 'rest'])
    assert.ok(!(await exists('statefulset', `blocks-${role}`)), role);
});

test('reconciling an unchanged cell and platform makes no API write, also by another operator', async () => {
  await bringUp('steady');
  await markReady('statefulset', 'cellpost-zk');
  for (const name of ['discovery', 'mta-proxy', 'user-index', 'web'])
    await markReady('deployment', `cellpost-${name}`);
  await waitFor('the platform to serve', async () => {
    const platform = await json<{ status?: { phase?: string } }>('get', 'platform', 'cellpost');
    return platform.status?.phase === 'Serving';
  });
  const kinds =
    'cells,platforms,statefulsets,deployments,services,configmaps,secrets,pdb,networkpolicies,events';
  type Listed = { items: { kind: string; metadata: { name: string; resourceVersion: string } }[] };
  const versions = async (): Promise<string[]> =>
    (await json<Listed>('get', kinds)).items.map(
      ({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`,
    );
  await operator.close();
  const before = await versions();
  await restartOperator('another');
  await waitFor(
    'some reconciles',
    async () => (await metric('cellpost_operator_reconcile_duration_seconds_count')) >= 2,
  );
  // A change that concerns nobody makes every cell be looked at again.
  await server.kubectl(['label', 'platform', 'cellpost', 'looked=again']);
  await waitFor(
    'more reconciles',
    async () => (await metric('cellpost_operator_reconcile_duration_seconds_count')) >= 4,
  );
  await server.kubectl(['label', 'platform', 'cellpost', 'looked-']);
  assert.equal(await metric('cellpost_operator_api_writes_total', 'leases'), 0);
  assert.deepEqual(
    (await versions()).filter((line) => !line.startsWith('Platform')),
    before.filter((line) => !line.startsWith('Platform')),
  );
  await removeAll('steady');
});

test('a platform that wants counts gets memcached and its service, and loses them when it wants none', async () => {
  const want = (counts: unknown): Promise<string> =>
    server.kubectl([
      'patch',
      'platform',
      'cellpost',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { counts } }),
    ]);
  type Env = { name: string; value?: string }[];
  type WithContainers = { spec: { template: { spec: { containers: { env: Env }[] } } } };
  const variable = async (deployment: string, name: string): Promise<string | undefined> => {
    const { spec } = await json<WithContainers>('get', 'deployment', deployment);
    return spec.template.spec.containers[0]?.env.find((one) => one.name === name)?.value;
  };
  const counted = (value: string | undefined): Promise<boolean> =>
    waitFor(
      `web to count by ${value}`,
      async () => (await variable('cellpost-web', 'CELLPOST_COUNTS_URL')) === value,
    );
  for (const [kind, name] of [
    ['statefulset', 'cellpost-zk'],
    ['deployment', 'cellpost-discovery'],
  ] as const)
    await markReady(kind, name);
  await waitForExisting('deployment', 'cellpost-web');
  assert.equal(await variable('cellpost-web', 'CELLPOST_COUNTS_URL'), undefined);

  await want({ memcached: { replicas: 2, memoryMiB: 32 } });
  await markReady('statefulset', 'cellpost-memcached');
  await markReady('deployment', 'cellpost-memcache-dirty');
  const host = (n: number): string =>
    `cellpost-memcached-${n}.cellpost-memcached.default.svc.cluster.local:11211`;
  assert.equal(await variable('cellpost-memcache-dirty', 'CELLPOST_MEMCACHED'), `${host(0)},${host(1)}`);
  await counted('http://cellpost-memcache-dirty.default.svc.cluster.local:8084');
  await waitFor('both to be told', async () => {
    const { status } = await json<{ status?: { memcached?: Summary; counts?: Summary } }>(
      'get',
      'platform',
      'cellpost',
    );
    return status?.memcached?.summary === '2/2' && status.counts?.summary === '2/2';
  });

  await want({ memcached: { servers: ['there:11211'] } });
  await waitFor('others’ servers', async () => !(await exists('statefulset', 'cellpost-memcached')));
  await waitFor(
    'them to be named',
    async () => (await variable('cellpost-memcache-dirty', 'CELLPOST_MEMCACHED')) === 'there:11211',
  );
  await want(null);
  await waitFor('the service to end', async () => !(await exists('deployment', 'cellpost-memcache-dirty')));
  await counted(undefined);
});

test('what others change or delete is put right', async () => {
  await bringUp('drift');
  await server.kubectl(['scale', 'statefulset', 'drift-app', '--replicas=7']);
  await server.kubectl([
    'patch',
    'configmap',
    'drift-hbase',
    '--type=merge',
    '-p',
    '{"data":{"hbase-site.xml":""}}',
  ]);
  await server.kubectl(['delete', 'pdb', 'drift-zk']);
  await waitFor('everything to be put right', async () => {
    const set = await json<{ spec: { replicas: number } }>('get', 'statefulset', 'drift-app');
    const map = await json<{ data: Record<string, string> }>('get', 'configmap', 'drift-hbase');
    return set.spec.replicas === 2 && map.data['hbase-site.xml'] !== '' && (await exists('pdb', 'drift-zk'));
  });
  await server.kubectl(['scale', 'cell', 'drift', '--replicas=3']);
  await waitFor('the new scale', async () => {
    const set = await json<{ spec: { replicas: number } }>('get', 'statefulset', 'drift-app');
    return set.spec.replicas === 3;
  });
  await removeAll('drift');
});

test('a cell comes up although the API server is killed twice on the way', async () => {
  await applyPlatform();
  await applyCell('shaken');
  await markReady('statefulset', 'shaken-zk');
  await server.kill();
  await server.restart();
  await markReady('statefulset', 'shaken-hbase');
  await server.kill();
  await server.restart();
  await markReady('statefulset', 'shaken-app');
  await waitForCondition('shaken', 'Ready', 'True');
  await removeAll('shaken');
});

test('a second operator waits, and goes on with a cell when the first has ended', async () => {
  await waitFor('the first to lead', async () => (await metric('cellpost_operator_leading')) === 1);
  const second = await startOperator('second');
  try {
    await applyPlatform();
    await applyCell('handed');
    await markReady('statefulset', 'handed-zk');
    await waitForExisting('statefulset', 'handed-hbase');
    assert.equal(await metric('cellpost_operator_reconcile_duration_seconds_count', '\n', second.url), 0);
    await operator.close();
    await markReady('statefulset', 'handed-hbase');
    await markReady('statefulset', 'handed-app');
    await waitForCondition('handed', 'Ready', 'True');
    await removeAll('handed');
  } finally {
    await second.close();
  }
});

test('a state is told to discovery whatever the app servers do', async () => {
  await bringUp('states');
  await markReady('statefulset', 'states-app', 0);
  await waitForCondition('states', 'Ready', 'False');
  await server.kubectl(['patch', 'cell', 'states', '--type=merge', '-p', '{"spec":{"state":"Disabled"}}']);
  await waitFor('discovery to know', async () => discovery.cells.get('states')?.state === 'Disabled');
  await removeAll('states');
});

test('a cell hibernates role by role, keeps its numbers, and takes its users back when it serves', async () => {
  await bringUp('winter', { appServers: { replicas: 3 } });
  await becomes('winter', 'Hibernated');
  await waitFor('discovery to know', async () => discovery.cells.get('winter')?.state === 'Hibernated');
  await waitFor('the app servers to be stopped', async () => (await replicasOf('winter-app')) === 0);
  const stopping = await waitFor('a sentence', async () => {
    const cell = await getCell('winter');
    return cell.status?.nextAction === 'Stop app servers' && cell;
  });
  assert.match(stopping.status?.blockedBy ?? '', /^Pods of winter-app must end; \d+ are left\.$/);
  assert.equal(await replicasOf('winter-hbase'), 1, 'HBase waits for the app servers to be gone');
  await markStopped('winter-app');
  await waitFor('HBase to be stopped', async () => (await replicasOf('winter-hbase')) === 0);
  assert.equal(await replicasOf('winter-zk'), 3, 'ZooKeeper waits for HBase to be gone');
  await restartOperator('another');
  await markStopped('winter-hbase');
  await markStopped('winter-zk');
  const asleep = await waitFor('the cell to sleep', async () => {
    const cell = await getCell('winter');
    return condition(cell, 'Progressing') === 'False' && cell;
  });
  assert.equal(asleep.status?.phase, 'The cell hibernates: it runs no pods and keeps its volumes.');
  assert.equal(asleep.spec.appServers.replicas, 3);
  assert.ok(asleep.status?.zookeeper?.formedAt, 'the ensemble exists');
  await server.kubectl(['scale', 'cell', 'winter', '--replicas=4']);

  await becomes('winter', 'Enabled');
  await waitFor('ZooKeeper to be started', async () => (await replicasOf('winter-zk')) === 3);
  assert.equal(await replicasOf('winter-hbase'), 0);
  for (const role of ['zk', 'hbase']) {
    await waitFor(`${role} to be started`, async () => (await replicasOf(`winter-${role}`)) > 0);
    await markReady('statefulset', `winter-${role}`);
  }
  await waitFor('the new scale', async () => (await replicasOf('winter-app')) === 4);
  assert.equal(discovery.cells.get('winter')?.state, 'Hibernated', 'nobody is sent to it before it serves');
  await markReady('statefulset', 'winter-app');
  await waitForCondition('winter', 'Ready', 'True');
  assert.equal(discovery.cells.get('winter')?.state, 'Enabled');
  await removeAll('winter');
});

test('a cell that holds users is not deleted, says why, stays healthy, and goes when an annotation says so', async () => {
  await bringUp('kept');
  await server.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data-kept-zk-0', namespace: 'default', labels: { 'cellpost.dev/cell': 'kept' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  discovery.buckets = 3;
  await server.kubectl(['delete', 'cell', 'kept', '--wait=false']);
  const refused = await waitForCondition('kept', 'Deleting', 'False');
  assert.match(
    refused.status?.blockedBy ?? '',
    /^Discovery maps 3 buckets of users to it\. .*delete-with-data=true/,
  );
  assert.match(refused.status?.phase ?? '', /^Deletion waits: /);
  await waitFor('an event', async () => (await server.kubectl(['get', 'events'])).includes('HoldsUsers'));
  assert.equal(discovery.cells.get('kept')?.state, 'Draining', 'no new users come to it');
  await server.kubectl(['delete', 'statefulset', 'kept-app']);
  await waitForExisting('statefulset', 'kept-app');

  await server.kubectl(['annotate', 'cell', 'kept', 'cellpost.dev/delete-with-data=true']);
  await waitFor('the cell to be gone', async () => !(await exists('cell', 'kept')));
  assert.ok(!discovery.cells.has('kept'));
  for (const role of ['zk', 'hbase', 'app']) assert.ok(!(await exists('statefulset', `kept-${role}`)), role);
  assert.ok(!(await exists('pvc', 'data-kept-zk-0')));
});

test('a platform stays while it has cells', async () => {
  await applyPlatform('other');
  await applyCell('last', { platform: { name: 'other' } });
  await waitForExisting('statefulset', 'last-zk');
  await server.kubectl(['delete', 'platform', 'other', '--wait=false']);
  await waitFor('the refusal', async () => {
    const platform = await json<{ status?: { blockedBy?: string } }>('get', 'platform', 'other');
    return platform.status?.blockedBy === 'Its cells must go first: last.';
  });
  await remove('cell', 'last');
  await waitFor('the platform to be gone', async () => !(await exists('platform', 'other')));
  assert.ok(!(await exists('statefulset', 'other-zk')));
});

test('an object of the same name that is not the cell’s is left alone and named', async () => {
  await server.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'taken-zk', namespace: 'default' },
    data: { a: 'b' },
  });
  await applyPlatform();
  await applyCell('taken');
  const cell = await waitForCondition('taken', 'Degraded', 'True');
  assert.match(cell.status?.phase ?? '', /ConfigMap default\/taken-zk exists and is not of this owner/);
  await waitForExisting('statefulset', 'taken-zk');
  assert.deepEqual((await json<{ data: unknown }>('get', 'configmap', 'taken-zk')).data, { a: 'b' });
  await server.kubectl(['delete', 'configmap', 'taken-zk']);
  await waitForCondition('taken', 'Degraded', 'False');
  await removeAll('taken');
});

/** Rights that leave no trace in the audit log: the API server asks for them beside those of the request itself. */
const UNSEEN = new Set([
  'update cells/finalizers.cellpost.dev',
  'update platforms/finalizers.cellpost.dev',
  // When a DataNode rests, which needs a real HDFS: the cluster suite has it.
  'patch pods.',
]);

// The last one: it looks at what all tests before it made the operator do, and at what is done here besides.
test('the operator uses each right that the chart gives it, and asks for no other', async () => {
  await bringUp('rights');
  // The ensemble was completed: its StatefulSet is another.
  await waitFor('the whole cell', async () => {
    await markReady('statefulset', 'rights-zk');
    return condition(await getCell('rights'), 'Progressing') === 'False';
  });
  await markReady('statefulset', 'cellpost-zk');
  for (const name of ['discovery', 'mta-proxy', 'user-index', 'web'])
    await waitForExisting('deployment', `cellpost-${name}`);
  type Labelled = { spec: { template: { metadata: { labels: Record<string, string> } } } };
  const labelsOf = async (name: string): Promise<Record<string, string>> =>
    (await json<Labelled>('get', 'statefulset', name)).spec.template.metadata.labels;
  // A pod of another revision is rolled, a claim grows, a rollout tells its state.
  await server.apply(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'rights-app-0',
        namespace: 'default',
        labels: { ...(await labelsOf('rights-app')), 'controller-revision-hash': 'r0' },
      },
      spec: { containers: [{ name: 'app', image: 'localhost/none:1.0' }] },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data-rights-zk-0', namespace: 'default', labels: await labelsOf('rights-zk') },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    {
      apiVersion: 'cellpost.dev/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'rights', namespace: 'default' },
      spec: { version: '2.0', paused: true },
    },
  );
  const containerStatuses = [
    {
      name: 'app',
      image: '',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { waiting: { reason: 'ImagePullBackOff' } },
    },
  ];
  const stuck = JSON.stringify({ status: { containerStatuses } });
  await server.kubectl(['patch', 'pod', 'rights-app-0', '--subresource=status', '--type=merge', '-p', stuck]);
  await applyCell('rights', { zookeeper: { storage: { size: '5Gi' } } });
  const unused = async (): Promise<string[]> => {
    const { granted, used } = await rights(server);
    return [...granted].filter((right) => !used.has(right) && !UNSEEN.has(right));
  };
  await waitFor('the rights of a cell’s life', async () =>
    (await unused()).every((right) => right === 'delete deployments.apps'),
  ).catch(async () => assert.deepEqual(await unused(), [], 'rights that nothing needs'));
  await removeAll('rights');
  await remove('platform', 'cellpost');
  assert.deepEqual(await unused(), [], 'rights that nothing needs');
  const { granted, asked } = await rights(server);
  assert.deepEqual(
    [...asked].filter((right) => !granted.has(right)),
    [],
    'rights that the chart does not give',
  );
});
