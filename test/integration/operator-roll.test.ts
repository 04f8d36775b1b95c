import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
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

async function told(name: string, ...begins: string[]): Promise<void> {
  const events = await world.eventsOf(name);
  for (const begin of begins)
    assert.ok(
      events.some((event) => event.startsWith(begin)),
      `${begin} in ${events.join()}`,
    );
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
