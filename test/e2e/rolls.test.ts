import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { Cell } from '../../operator/types.ts';
import { openJmap } from '../support/jmap.ts';
import { until } from '../support/wait.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { startLoad, type LoadReport } from './support/load.ts';
import { NAMESPACE, PASSWORD, cellctl, withPort, type User } from './support/mail.ts';

// One cell with three ZooKeeper servers and three app servers, rolled under a load that counts every error.
const CELL = 'a';
const READY_DEADLINE_MS = 300_000;
const ROLL_DEADLINE_MS = 420_000;
const ADDRESSES = Array.from({ length: 4 }, (_, i) => `roller${i}@cellpost.test`);

let cluster: TestCluster;
let users: User[] = [];

const kubectl = (...args: string[]): Promise<string> => cluster.kubectl(['-n', NAMESPACE, ...args]);
const getCell = async (): Promise<Cell> =>
  JSON.parse(await kubectl('get', 'cell', CELL, '-o', 'json')) as Cell;
const patch = (spec: unknown): Promise<string> =>
  kubectl('patch', 'cell', CELL, '--type=merge', '-p', JSON.stringify({ spec }));
const cpu = (milli: number): unknown => ({ resources: { requests: { cpu: `${milli}m` } } });

/** Pod → uid: another uid is another pod. */
async function uids(): Promise<Map<string, string>> {
  const path = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\\n"}{end}';
  const text = await kubectl('get', 'pods', '-l', `cellpost.dev/cell=${CELL}`, '-o', path);
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
}

async function changed(before: Map<string, string>): Promise<string[]> {
  const now = await uids();
  return [...now.keys()].filter((pod) => now.get(pod) !== before.get(pod)).toSorted();
}

const settled = (what: string, timeoutMs = ROLL_DEADLINE_MS): Promise<Cell> =>
  until(
    async () => {
      const cell = await getCell();
      const { status, metadata } = cell;
      const seen = status?.observedGeneration === metadata.generation;
      return seen && status?.nextAction === '' && !status.roll && cell;
    },
    { timeoutMs, what },
  );

before(async () => {
  cluster = await openCluster(['platform.yaml', 'cell-a.yaml']);
  await until(async () => (await getCell()).status?.phase === 'Serving', {
    timeoutMs: READY_DEADLINE_MS,
    what: 'the cell to be complete',
  });
  await patch({ appServers: { replicas: 3 } });
  await settled('three app servers');
  for (const address of ADDRESSES) {
    await cellctl(cluster, ['user', 'add', address], PASSWORD);
    users.push(await cellctl<User>(cluster, ['where', address]));
  }
  users = users.filter(({ cell }) => cell === CELL);
  assert.ok(users.length > 0, 'users in the cell');
});

after(async () => {
  await cluster?.close();
});

/** Every mail that was acknowledged is there, once. */
async function nothingLost({ mail }: LoadReport): Promise<void> {
  const [user] = users;
  assert.ok(user);
  await withPort(cluster, 'svc/cellpost-web', 80, async (port) => {
    const jmap = await openJmap(`http://127.0.0.1:${port}`, user.address, PASSWORD);
    const found = await jmap.subjects('inbox');
    assert.deepEqual(
      mail.acknowledged.filter((subject) => !found.includes(subject)),
      [],
    );
    assert.equal(new Set(found).size, found.length, 'no mail is there twice');
  });
}

function tell(t: TestContext, { jmap, mail }: LoadReport): void {
  t.diagnostic(
    `${jmap.requests} JMAP requests, ${jmap.failures.length} failed, longest ${Math.round(jmap.longestMs)} ms; ` +
      `${mail.acknowledged.length} mails, ${mail.failures.length} refused, longest ${Math.round(mail.longestMs)} ms`,
  );
}

test('ZooKeeper and app servers are rolled one by one; no request fails, no mail is refused or lost', async (t) => {
  const before = await uids();
  const load = await startLoad(cluster, users, 'roll');
  try {
    await patch({ zookeeper: cpu(21), appServers: cpu(101) });
    await until(async () => (await getCell()).status?.roll, {
      timeoutMs: READY_DEADLINE_MS,
      what: 'the roll to begin',
    });
    await settled('the roll to end');
  } finally {
    await load.stop();
  }
  tell(t, load.report);
  assert.deepEqual(await changed(before), ['a-app-0', 'a-app-1', 'a-app-2', 'a-zk-0', 'a-zk-1', 'a-zk-2']);
  assert.deepEqual(load.report.jmap.failures, []);
  assert.deepEqual(load.report.mail.failures, []);
  await nothingLost(load.report);
});

test('a bad version is rolled back by itself; pods that were not touched stay, and an operator that dies goes on', async (t) => {
  const before = await uids();
  const good = (await getCell()).status?.version;
  const load = await startLoad(cluster, users, 'bad');
  try {
    await patch({ version: 'there-is-no-such-version' });
    await until(async () => (await getCell()).status?.roll, {
      timeoutMs: READY_DEADLINE_MS,
      what: 'the roll to begin',
    });
    // The operator's pod: what it knew is gone.
    const lease = 'jsonpath={.spec.holderIdentity}';
    const holder = await kubectl('get', 'lease', 'cellpost-operator', '-o', lease);
    await kubectl('delete', 'pod', holder, '--grace-period=0', '--force');
    const rolledBack = await until(
      async () => {
        const cell = await getCell();
        return cell.status?.rolledBack && !cell.status.roll && cell.status.nextAction === '' && cell;
      },
      { timeoutMs: ROLL_DEADLINE_MS, what: 'the version to be rolled back' },
    );
    const degraded = rolledBack.status?.conditions?.find(({ type }) => type === 'Degraded');
    assert.equal(degraded?.reason, 'RolledBack');
    assert.match(degraded.message, /^Version there-is-no-such-version was rolled back: Pod a-app-2: /);
    assert.equal(rolledBack.status?.version, good);
  } finally {
    await load.stop();
  }
  tell(t, load.report);
  assert.deepEqual(await changed(before), ['a-app-2']);
  assert.deepEqual(load.report.jmap.failures, []);
  await nothingLost(load.report);
  // Another version starts anew.
  await patch({ version: null });
  const cell = await settled('the cell to run what it ran', READY_DEADLINE_MS);
  assert.equal(cell.status?.rolledBack, undefined);
  assert.deepEqual(await changed(before), ['a-app-2']);
});

test('HBase in one pod is made anew: requests wait behind it, and no mail is lost', async (t) => {
  const before = await uids();
  const load = await startLoad(cluster, users, 'hbase');
  try {
    await patch({ hbase: { rest: cpu(51) } });
    await until(async () => (await changed(before)).length > 0, {
      timeoutMs: READY_DEADLINE_MS,
      what: 'the pod to go',
    });
    await settled('HBase to be back');
  } finally {
    await load.stop();
  }
  tell(t, load.report);
  for (const failure of [...load.report.jmap.failures, ...load.report.mail.failures].slice(0, 10))
    t.diagnostic(failure);
  assert.deepEqual(await changed(before), ['a-hbase-0']);
  await nothingLost(load.report);
});
