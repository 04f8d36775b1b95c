import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Rollout } from '../../operator/rollout/types.ts';
import type { Cell, Condition } from '../../operator/types.ts';
import { until } from '../support/wait.ts';
import { OperatorHarness, answering, type RunningPod } from '../support/operator-harness.ts';

// Rolls with a real API server and StatefulSet controller; what pods do and app servers answer is the tests' word.
const DEADLINE_MS = 90_000;
let world: OperatorHarness;

before(async () => {
  world = await OperatorHarness.start();
});

after(async () => {
  await world?.close();
});

afterEach(() => {
  Object.assign(world.behaviour, { waiting: () => undefined, answers: () => answering(0) });
});

const versionOf = ({ spec }: RunningPod): string => spec.containers[0]?.image.split(':').at(-1) ?? '';
const conditionOf = ({ status }: Cell, type: string): Condition | undefined =>
  status?.conditions?.find((one) => one.type === type);
const GATES = { minRequests: 100, observeSeconds: 600 };

async function changed(cell: string, before: Map<string, string>): Promise<string[]> {
  const now = await world.uids(cell);
  return [...now.keys()].filter((pod) => now.get(pod) !== before.get(pod)).toSorted();
}

/** An event is written after the status that it is about. */
async function told(name: string, ...begins: string[]): Promise<void> {
  let events: string[] = [];
  const missing = (): string[] => begins.filter((begin) => !events.some((event) => event.startsWith(begin)));
  const ask = async (): Promise<boolean> => {
    events = await world.eventsOf(name);
    return missing().length === 0;
  };
  const explain = (): string => `${missing().join()} is missing in ${events.join()}`;
  await until(ask, { timeoutMs: DEADLINE_MS, what: 'events', explain });
}

const isSettled = ({ status, metadata }: Cell): boolean =>
  status?.observedGeneration === metadata.generation && status?.nextAction === '' && !status.roll;

const SHUT = [
  { gate: 'ErrorRate', answers: answering(10), says: /^At most 5 % of the requests to a-errorrate-app-\d / },
  { gate: 'Latency', answers: answering(0, 5_000), says: /^99 % of the calls of a-latency-app-\d must be/ },
  { gate: 'MetricsAway', answers: undefined, says: /^App server a-metricsaway-app-\d must tell/ },
];

for (const { gate, answers, says } of SHUT) {
  test(`gate ${gate} shuts: the roll pauses and says why; it opens: the roll goes on`, async () => {
    const name = `a-${gate.toLowerCase()}`;
    await world.bringUp(name, { appServers: { replicas: 2 } });
    const before = await world.uids(name);
    world.behaviour.answers = () => answers;
    await world.patch(name, { appServers: { resources: { requests: { cpu: '101m' } } } });
    const paused = await world.waitForCell(name, 'to pause', (cell) => conditionOf(cell, 'Paused'));
    assert.equal(conditionOf(paused, 'Paused')?.status, 'True');
    assert.equal(conditionOf(paused, 'Paused')?.reason, gate);
    assert.match(conditionOf(paused, 'Paused')?.message ?? '', says);
    assert.match(paused.status?.blockedBy ?? '', says);
    assert.equal(paused.status?.nextAction, 'Roll the pods');
    assert.equal(conditionOf(paused, 'Ready')?.status, 'True', 'users are served');
    assert.deepEqual(await changed(name, before), []);
    world.behaviour.answers = () => answering(0);
    const done = await world.waitForCell(name, 'to be rolled', isSettled);
    assert.equal(conditionOf(done, 'Paused'), undefined);
    assert.deepEqual(await changed(name, before), [`${name}-app-0`, `${name}-app-1`]);
    await told(name, `Warning ${gate}: `, 'Normal RollPod: ');
  });
}

const BAD: { what: string; name: string; behaves(): void; says: RegExp }[] = [
  {
    what: 'answers 5xx to 10 % of requests',
    name: 'b-errors',
    behaves: () => {
      world.behaviour.answers = (pod) => answering(versionOf(pod) === '2.0' ? 10 : 0);
    },
    says: /^more than 5 % of the requests to b-errors-app-2 failed\.$/,
  },
  {
    what: 'crashes',
    name: 'b-crash',
    behaves: () => {
      world.behaviour.waiting = (pod) => (versionOf(pod) === '2.0' ? 'CrashLoopBackOff' : undefined);
    },
    says: /^Pod b-crash-app-2: container app-server is in CrashLoopBackOff\.$/,
  },
];

for (const { what, name, behaves, says } of BAD) {
  test(`a version that ${what} is rolled back by itself; pods that were not touched stay`, async () => {
    await world.bringUp(name, { appServers: { replicas: 3 }, rollout: { gates: GATES } });
    const before = await world.uids(name);
    behaves();
    await world.patch(name, { version: '2.0' });
    const back = await world.waitForCell(
      name,
      'to be rolled back',
      (cell) => cell.status?.rolledBack && isSettled(cell),
    );
    assert.match(back.status?.rolledBack?.message ?? '', says);
    assert.equal(conditionOf(back, 'Degraded')?.reason, 'RolledBack');
    assert.equal(back.status?.version, '1.0');
    assert.deepEqual(await changed(name, before), [`${name}-app-2`]);
    await told(name, 'Warning RolledBack: ', 'Normal RollPod: ');
  });
}

test('a version of which the last server turns out bad is rolled back, too', async () => {
  await world.bringUp('c-one', { appServers: { replicas: 1 }, rollout: { gates: GATES } });
  // As in a server that has just begun: it is watched before the version counts as good.
  let answers = answering(0);
  answers = { ...answers, everSince: { ...answers.everSince, requests: { answered: 10, failed: 0 } } };
  answers.everSince.deliveries = { answered: 10, failed: 0 };
  world.behaviour.answers = (pod) => (versionOf(pod) === '2.0' ? answers : answering(0));
  await world.patch('c-one', { version: '2.0' });
  const watched = await world.waitForCell('c-one', 'to be watched', ({ status }) =>
    status?.blockedBy?.startsWith('Pod c-one-app-0 of the new version must have answered 100 requests'),
  );
  assert.match(watched.status?.goodImage ?? '', /:1\.0$/);
  answers = answering(10);
  const back = await world.waitForCell('c-one', 'to be rolled back', (cell) => {
    return cell.status?.rolledBack && isSettled(cell);
  });
  assert.match(back.status?.rolledBack?.message ?? '', /c-one-app-0 failed/);
  assert.match(back.status?.goodImage ?? '', /:1\.0$/);
});

test('a version whose servers answer well becomes the good one, and an operator that starts in the middle goes on', async () => {
  await world.bringUp('d-good', { appServers: { replicas: 2 }, rollout: { gates: GATES } });
  const before = await world.uids('d-good');
  await world.patch('d-good', { version: '2.0' });
  await world.waitForCell('d-good', 'to roll', ({ status }) => status?.roll);
  await world.operator?.close();
  await world.startOperator();
  const done = await world.waitForCell('d-good', 'to be rolled', isSettled);
  assert.equal(done.status?.version, '2.0');
  assert.match(done.status?.goodImage ?? '', /:2\.0$/);
  assert.deepEqual(await changed('d-good', before), ['d-good-app-0', 'd-good-app-1']);
  await told('d-good', 'Normal VersionGood: ');
});

test('where there is little to answer, a version is good after a time', async () => {
  const gates = { minRequests: 1_000_000, observeSeconds: 1 };
  await world.bringUp('e-quiet', { appServers: { replicas: 1 }, rollout: { gates } });
  await world.patch('e-quiet', { version: '2.0' });
  const done = await world.waitForCell('e-quiet', 'to be rolled', (cell) => {
    return cell.status?.version === '2.0' && isSettled(cell);
  });
  assert.match(done.status?.goodImage ?? '', /:2\.0$/);
});

const isHbase = ({ spec }: RunningPod): boolean => spec.containers[0]?.image.includes('/hbase:') ?? false;
/** Pods of HBase's image are watched for a moment only. */
const QUICK = { rollout: { gates: { observeSeconds: 1 } }, zookeeper: { replicas: 3 } };
const BAD_HBASE = 'localhost/hbase:2.0';

test('an image of HBase that crashes at start is rolled back at its first pod; pods that were not touched stay', async () => {
  await world.bringUp('f-crash', { ...QUICK, appServers: { replicas: 2 } });
  const before = await world.uids('f-crash');
  world.behaviour.waiting = (pod) =>
    isHbase(pod) && versionOf(pod) === '2.0' ? 'CrashLoopBackOff' : undefined;
  await world.patch('f-crash', { images: { hbase: BAD_HBASE } });
  const back = await world.waitForCell(
    'f-crash',
    'to be rolled back',
    (cell) => cell.status?.hbaseImage?.rolledBack && isSettled(cell),
  );
  assert.deepEqual(back.status?.hbaseImage, {
    default: 'localhost/hbase:1.0',
    good: 'localhost/hbase:1.0',
    rolledBack: {
      image: BAD_HBASE,
      message: 'Pod f-crash-zk-1: container zookeeper is in CrashLoopBackOff.',
    },
  });
  assert.equal(conditionOf(back, 'Degraded')?.reason, 'RolledBack');
  assert.equal(conditionOf(back, 'Ready')?.status, 'True', 'users are served');
  assert.deepEqual(await changed('f-crash', before), ['f-crash-zk-1'], 'the leader would have been the last');
  await told('f-crash', 'Warning RolledBack: ', 'Normal RollPod: ');
  await world.patch('f-crash', { images: null });
  const clean = await world.waitForCell('f-crash', 'to forget it', isSettled);
  assert.equal(clean.status?.hbaseImage?.rolledBack, undefined);
  assert.deepEqual(await changed('f-crash', before), ['f-crash-zk-1']);
});

test('an image with which only HBase crashes takes back ZooKeeper, too, and an operator that starts in the middle goes on', async () => {
  await world.bringUp('f-later', { ...QUICK, appServers: { replicas: 1 } });
  const before = await world.uids('f-later');
  world.behaviour.waiting = (pod) =>
    pod.metadata.name.includes('-hbase-') && versionOf(pod) === '2.0' ? 'CrashLoopBackOff' : undefined;
  await world.patch('f-later', { images: { hbase: BAD_HBASE } });
  await world.waitForCell('f-later', 'to give the image up', (cell) => cell.status?.hbaseImage?.rolledBack);
  await world.operator?.close();
  await world.startOperator();
  const back = await world.waitForCell('f-later', 'to be rolled back', isSettled);
  assert.match(back.status?.hbaseImage?.rolledBack?.message ?? '', /^Pod f-later-hbase-0: container/);
  assert.match(back.status?.hbaseImage?.good ?? '', /:1\.0$/);
  const zookeeper = ['f-later-zk-0', 'f-later-zk-1', 'f-later-zk-2'];
  assert.deepEqual(await changed('f-later', before), ['f-later-hbase-0', ...zookeeper]);
  const { items } = JSON.parse(
    await world.server.kubectl(['get', 'pods', '-l', 'cellpost.dev/cell=f-later', '-o', 'json']),
  ) as { items: RunningPod[] };
  assert.ok(items.every((pod) => versionOf(pod) === '1.0'));
});

test('with a single ZooKeeper that crashes HBase stays as it is', async () => {
  await world.bringUp('f-one', { ...QUICK, zookeeper: { replicas: 1 }, appServers: { replicas: 1 } });
  const before = await world.uids('f-one');
  // As with real servers: HBase is not ready while ZooKeeper is away, nor for a while after.
  let isAway = false;
  world.behaviour.waiting = (pod) => {
    const bad = pod.metadata.name === 'f-one-zk-0' && versionOf(pod) === '2.0';
    isAway ||= bad;
    if (bad) return 'CrashLoopBackOff';
    return pod.metadata.name === 'f-one-hbase-0' && isAway ? 'CrashLoopBackOff' : undefined;
  };
  await world.patch('f-one', { images: { hbase: BAD_HBASE } });
  await world.waitForCell(
    'f-one',
    'to have ZooKeeper again',
    ({ status }) =>
      status?.hbaseImage?.rolledBack &&
      status.zookeeper?.ready === 1 &&
      status.blockedBy?.includes('hbase-0'),
  );
  assert.deepEqual(await changed('f-one', before), ['f-one-zk-0']);
  isAway = false;
  world.behaviour.waiting = () => undefined;
  await world.waitForCell('f-one', 'to serve', isSettled);
  assert.deepEqual(await changed('f-one', before), ['f-one-zk-0']);
});

test('an image of HBase that is well becomes the good one before the app servers of a new version go', async () => {
  await world.bringUp('f-good', { ...QUICK, appServers: { replicas: 2 } });
  const before = await world.uids('f-good');
  await world.patch('f-good', { images: { hbase: 'localhost/hbase:2.0' }, version: '2.0' });
  const done = await world.waitForCell(
    'f-good',
    'to be rolled',
    (cell) => cell.status?.version === '2.0' && isSettled(cell),
  );
  assert.equal(done.status?.hbaseImage?.good, 'localhost/hbase:2.0');
  assert.equal((await changed('f-good', before)).length, before.size);
  const events = await world.eventsOf('f-good');
  const at = (begin: string): number => events.findIndex((event) => event.startsWith(begin));
  assert.ok(at('Normal ImageGood: ') >= 0, events.join());
  assert.ok(at('Normal ImageGood: ') < at('Normal RollPod: Pod f-good-app-'), events.join());
});

test('another image at the platform touches no cell that serves, and is what a new one runs', async () => {
  await world.bringUp('f-old', { appServers: { replicas: 1 } });
  const before = await world.uids('f-old');
  await world.patch('cellpost', { images: { hbase: 'localhost/hbase:3.0' } }, 'platform');
  const young = await world.bringUp('f-young', { appServers: { replicas: 1 } });
  assert.equal(young.status?.hbaseImage?.default, 'localhost/hbase:3.0');
  assert.deepEqual(await changed('f-old', before), []);
  assert.equal((await world.cell('f-old')).status?.hbaseImage?.default, 'localhost/hbase:1.0');
  await world.patch('cellpost', { images: { hbase: 'localhost/hbase:1.0' } }, 'platform');
});

test('a rollout of a bad image takes it back at its canary; the next cell is never asked', async () => {
  for (const name of ['g-canary', 'g-next'])
    await world.bringUp(name, { ...QUICK, appServers: { replicas: 1 } });
  const before = { canary: await world.uids('g-canary'), next: await world.uids('g-next') };
  world.behaviour.waiting = (pod) =>
    isHbase(pod) && versionOf(pod) === '4.0' ? 'CrashLoopBackOff' : undefined;
  await world.apply({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'bad-hbase', namespace: 'default' },
    spec: { images: { hbase: 'localhost/hbase:4.0' }, canary: { cells: ['g-canary'] }, bakeSeconds: 1 },
  });
  const text = await until(
    async () => {
      const told = await world.server.kubectl(['get', 'rollout', 'bad-hbase', '-o', 'json']);
      return (JSON.parse(told) as Rollout).status?.outcome && told;
    },
    { timeoutMs: DEADLINE_MS, what: 'the rollout to end' },
  );
  const { status } = JSON.parse(text) as Rollout;
  assert.equal(status?.outcome, 'RolledBack');
  assert.match(
    status.phase ?? '',
    /^Rolled back: Cell g-canary is degraded at localhost\/hbase:4\.0: Image /,
  );
  const canary = await world.waitForCell('g-canary', 'to be as it was', isSettled);
  assert.equal(canary.spec.images?.hbase, undefined);
  assert.equal(canary.status?.phase, 'Serving');
  assert.deepEqual(await changed('g-canary', before.canary), ['g-canary-zk-1']);
  assert.deepEqual(await changed('g-next', before.next), []);
});

test('the servers of a platform’s own ZooKeeper are made anew one by one, the leader last', async () => {
  const before = await world.uids('cellpost', 'platform');
  const zookeeper = ['cellpost-zk-0', 'cellpost-zk-1', 'cellpost-zk-2'];
  assert.deepEqual([...before.keys()].toSorted(), zookeeper);
  await world.patch('cellpost', { zookeeper: { resources: { requests: { cpu: '51m' } } } }, 'platform');
  await until(
    async () => {
      const now = await world.uids('cellpost', 'platform');
      return zookeeper.every((pod) => now.has(pod) && now.get(pod) !== before.get(pod));
    },
    { timeoutMs: DEADLINE_MS, what: 'all servers to be made anew' },
  );
  const order = (await world.eventsOf('cellpost'))
    .filter((event) => event.startsWith('Normal RollPod'))
    .map((event) => /Pod (\S+)/.exec(event)?.[1]);
  assert.deepEqual(order, ['cellpost-zk-1', 'cellpost-zk-0', 'cellpost-zk-2']);
});
