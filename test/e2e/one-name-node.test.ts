import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { until } from '../support/wait.ts';
import { cellTools, cpu } from './support/cell.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { tooLarge } from './support/large.ts';
import { addUser, NAMESPACE, assertKept, newLoad, sendUntil, type User } from './support/mail.ts';

// As small as a cell on HDFS gets: one server of each kind and no journals. While one is away mail waits.
const CELL = 'one';
const SPEC = {
  apiVersion: 'cellpost.dev/v1alpha1',
  kind: 'Cell',
  metadata: { name: CELL, namespace: NAMESPACE },
  spec: {
    zookeeper: { replicas: 1 },
    hbase: {
      storage: 'HDFS',
      regions: 1,
      masters: 1,
      regionServers: 1,
      hdfs: {
        replication: 1,
        nameNodes: { replicas: 1 },
        dataNodes: { replicas: 1, volume: { size: '2Gi' } },
      },
    },
    appServers: { replicas: 1 },
  },
};
const PODS = ['one-app-0', 'one-dn-0', 'one-hm-0', 'one-nn-0', 'one-rest-0', 'one-rs-0', 'one-zk-0'];
const DEADLINE_MS = 300_000;
/** Of this run: the cell may have been there before. */
const ADDRESS = `small-${Date.now().toString(36)}@cellpost.test`;

let cluster: TestCluster;
let user: User;

const { kubectl, getCell, patch, podsBy, uidOf, isReady, settled } = cellTools(
  () => cluster,
  CELL,
  DEADLINE_MS,
);

before(async () => {
  cluster = await openCluster(['platform.yaml']);
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(SPEC));
});

after(async () => {
  await cluster?.close();
});

test('a cell with one NameNode comes up without journals', async (t) => {
  const start = performance.now();
  await settled('the cell to serve');
  t.diagnostic(`Serving after ${Math.round((performance.now() - start) / 1_000)} s`);
  const { status } = await getCell();
  assert.deepEqual([status?.hdfs?.summary, status?.hbase?.summary], ['2/2', '3/3']);
  assert.ok(status?.hdfs?.formattedAt);
  assert.deepEqual([...(await podsBy('.metadata.uid')).keys()].toSorted(), PODS);
  user = await addUser(cluster, ADDRESS);
});

/** Does something while mail comes in for a user: none that was taken is lost, and in the end mail is taken again. */
async function underMail(t: TestContext, name: string, work: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const load = newLoad(name);
  const sending = sendUntil(cluster, stop.signal, user, load);
  try {
    await work();
    const taken = load.acknowledged.length;
    await until(() => load.acknowledged.length > taken + 5, {
      timeoutMs: DEADLINE_MS,
      what: 'mails to be taken again',
    });
  } finally {
    stop.abort();
    await sending;
  }
  const longest = Math.round(load.longestMs);
  t.diagnostic(`${load.acknowledged.length} acknowledged, ${load.refused} refused, longest ${longest} ms`);
  await assertKept(cluster, user, load.acknowledged);
}

test('its NameNode is lost and comes back with what it knew', async (t) => {
  const before = await uidOf('one-nn-0');
  await underMail(t, 'lost', async () => {
    await kubectl('delete', 'pod', 'one-nn-0', '--wait=true', '--timeout=120s');
    await until(async () => (await isReady('one-nn-0')) && (await uidOf('one-nn-0')) !== before, {
      timeoutMs: DEADLINE_MS,
      what: 'the NameNode to be back',
    });
  });
  assert.match(await kubectl('logs', 'one-nn-0', '-c', 'format'), /^made before$/m);
});

test(
  'its storage is made anew: each gate opens, and each server finds its files again',
  { skip: tooLarge },
  async (t) => {
    const before = await podsBy('.metadata.uid');
    await underMail(t, 'rolled', async () => {
      await patch({ hbase: { regionServer: cpu(21), hdfs: { nameNodes: cpu(21), dataNodes: cpu(21) } } });
      await until(async () => (await getCell()).status?.roll, {
        timeoutMs: DEADLINE_MS,
        what: 'the roll to begin',
      });
      await settled('the roll to end');
    });
    for (const pod of ['one-nn-0', 'one-dn-0', 'one-rs-0'])
      assert.notEqual(await uidOf(pod), before.get(pod), pod);
  },
);
