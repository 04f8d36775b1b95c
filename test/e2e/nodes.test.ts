import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findCluster } from '../cluster/cluster.ts';
import { addNode, type AddedNode } from '../cluster/nodes.ts';
import { until } from '../support/wait.ts';
import { cellTools } from './support/cell.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { tooLarge } from './support/large.ts';
import { mailsTaken, tellLoad, type LoadReport } from './support/load-report.ts';
import { assertLoadKept, startLoad } from './support/load.ts';
import { addUser, cellctl, type User } from './support/mail.ts';
import { longestWithoutLeader } from './support/zookeeper.ts';

// Three nodes. The first has the control plane, the platform's services and HBase, which is one pod; the other two have the
// cell's app servers and ZooKeeper, and are drained, cut off and robbed of their power.
const CELL = 'a';
const READY_DEADLINE_MS = 300_000;
const ADDRESSES = Array.from({ length: 12 }, (_, i) => `node${i}@cellpost.test`);
/** So many of them make requests. */
const LOADED = 4;
const FIRST = 'node';
/** Of two servers that go on, and of the commands that ask them, on busy processors. */
const ELECTION_MS = 15_000;
const ENSEMBLE = ['a-zk-0', 'a-zk-1', 'a-zk-2'];

let cluster: TestCluster;
let nodes: AddedNode[] = [];
let users: User[] = [];
let skip: string | false = tooLarge;

const tools = cellTools(() => cluster, CELL, READY_DEADLINE_MS);
const { kubectl, patch, podsBy, settled } = tools;

/** Pod → node. */
const places = (): Promise<Map<string, string>> => podsBy('.spec.nodeName');

before(async () => {
  if (skip) return;
  cluster = await openCluster(['platform.yaml', 'cell-a.yaml']);
  const found = await findCluster();
  if (found?.kind !== 'private') {
    skip = 'nodes can be added to a private cluster only';
    return;
  }
  await settled('the cell to be complete');
  for (const name of ['node2', 'node3'] as const) nodes.push(await addNode(found, name));
  // What has one pod stays on the first node; what is rolled goes to the others.
  await kubectl('cordon', FIRST);
  await patch({
    zookeeper: { resources: { requests: { cpu: '21m' } } },
    appServers: { replicas: 3, resources: { requests: { cpu: '101m' } } },
  });
  await settled('the roll to the new nodes');
  await kubectl('uncordon', FIRST);
  for (const address of ADDRESSES) users.push(await addUser(cluster, address));
});

after(async () => {
  await cluster?.close();
});

/** Watches the ensemble until the work is done. @returns the fewest servers that were ready */
async function fewestReady(work: () => Promise<void>): Promise<number> {
  let fewest = Infinity;
  const over = new AbortController();
  const path = 'jsonpath={.status.readyReplicas}';
  const watching = (async () => {
    while (!over.signal.aborted)
      fewest = Math.min(fewest, Number(await kubectl('get', 'statefulset', 'a-zk', '-o', path)));
  })();
  try {
    await work();
  } finally {
    over.abort();
    await watching;
  }
  return fewest;
}

test('pods of a role are spread over the nodes, and a drain of either node fails no request', async (t) => {
  if (skip) return t.skip(skip);
  const before = await places();
  const on = ENSEMBLE.map((pod) => before.get(pod));
  assert.deepEqual([...new Set(on)].toSorted(), ['node2', 'node3'], `ZooKeeper is on ${on.join(', ')}`);
  const load = await startLoad(cluster, users.slice(0, LOADED), 'drain');
  const fewest = await fewestReady(async () => {
    try {
      for (const { name } of nodes) {
        await drain(name);
        assert.ok(![...(await places()).values()].includes(name), `nothing of the cell is on ${name}`);
        await kubectl('uncordon', name);
      }
    } finally {
      await load.stop();
    }
  });
  tellLoad(t, load.report);
  assert.ok(fewest >= 2, 'the ensemble had a quorum all the time');
  assert.deepEqual(load.report.failures, []);
  await assertLoadKept(cluster, users.slice(0, LOADED), load.report);
});

/** The node has one app server and one server of ZooKeeper, whatever drains have made of it. */
async function giveItsShare(node: AddedNode): Promise<void> {
  const others = [FIRST, ...nodes.map(({ name }) => name)].filter((name) => name !== node.name);
  await drain(node.name);
  await kubectl('uncordon', node.name);
  await kubectl('cordon', ...others);
  await kubectl('delete', 'pods', 'a-app-1', 'a-zk-1', '--wait=true');
  await settled(`a share of the cell to be on ${node.name}`);
  await kubectl('uncordon', ...others);
}

/** The load's mails go to a user of this app server, and so do requests. */
async function usersOf(pod: string): Promise<User[]> {
  // One after another: each is a process in a pod whose memory has a limit.
  const now: User[] = [];
  for (const { address } of users) now.push(await cellctl<User>(cluster, ['where', address]));
  const one = now.find(({ node }) => node === pod);
  assert.ok(one, `one of ${ADDRESSES.length} users is served by ${pod}`);
  return [one, ...now.filter((user) => user !== one)].slice(0, LOADED);
}

async function drain(node: string): Promise<void> {
  await kubectl('drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=240s');
  await settled(`the cell to be complete without ${node}`);
}

test('a node that is cut off takes no user along: others serve them, and nothing is lost', async (t) => {
  if (skip) return t.skip(skip);
  const [node] = nodes;
  assert.ok(node);
  await giveItsShare(node);
  const served = await usersOf('a-app-1');
  const load = await startLoad(cluster, served, 'cut');
  try {
    const gap = await longestWithoutLeader(tools, await ensembleWithout(node), async () => {
      await node.cut();
      await serves(load.report);
    });
    t.diagnostic(`the longest without a leader of ZooKeeper: ${Math.round(gap)} ms`);
    assert.ok(gap < ELECTION_MS, 'the others have a quorum');
    await node.heal();
    await settled('the node to be back');
  } finally {
    await node.heal();
    await load.stop();
  }
  tellLoad(t, load.report);
  await assertLoadKept(cluster, served, load.report);
});

test('a node without power takes no user along, and its pods come back with it', async (t) => {
  if (skip) return t.skip(skip);
  const [node] = nodes;
  assert.ok(node);
  // It still has its share: nothing was moved when it was cut off.
  assert.ok([...(await places()).values()].includes(node.name));
  const served = await usersOf('a-app-1');
  const load = await startLoad(cluster, served, 'power');
  try {
    const gap = await longestWithoutLeader(tools, await ensembleWithout(node), async () => {
      await node.crash();
      await serves(load.report);
    });
    t.diagnostic(`the longest without a leader of ZooKeeper: ${Math.round(gap)} ms`);
    assert.ok(gap < ELECTION_MS, 'the others have a quorum');
    await node.boot();
    await settled('the node to be back');
  } finally {
    await load.stop();
  }
  tellLoad(t, load.report);
  await assertLoadKept(cluster, served, load.report);
});

/** The servers of ZooKeeper that are elsewhere. */
async function ensembleWithout(node: AddedNode): Promise<string[]> {
  const where = await places();
  return ENSEMBLE.filter((pod) => where.get(pod) !== node.name);
}

/** Mails are taken and mailboxes read and changed again, some time after something broke. */
async function serves(report: LoadReport): Promise<void> {
  const before = { mails: mailsTaken(report), ...report.answered };
  await until(
    () =>
      mailsTaken(report) > before.mails + 20 &&
      report.answered.read > before.read + 80 &&
      report.answered.write > before.write + 80,
    { timeoutMs: READY_DEADLINE_MS, what: 'users to be served' },
  );
}
