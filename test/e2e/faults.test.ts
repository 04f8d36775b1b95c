import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, test, type TestContext } from 'node:test';
import { findCluster, type Cluster } from '../cluster/cluster.ts';
import { until } from '../support/wait.ts';
import { cellTools, cpu } from './support/cell.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { tooLarge } from './support/large.ts';
import { mailsTaken, tellLoad, type LoadReport } from './support/load-report.ts';
import { assertLoadKept, startLoad, type Load } from './support/load.ts';
import type { LoadOrders } from './support/load-program.ts';
import { kill, podOf, restartsOf, rollThroughDeaths } from './support/processes.ts';
import { addUser, assertKept, newLoad, sendUntil, type User } from './support/mail.ts';
import { leaderOf } from './support/zookeeper.ts';

// One cell with three ZooKeeper servers and three app servers, under load, while everything breaks that can.
const CELL = 'a';
const DEADLINE_MS = 300_000;
/** Of this run: the cell may have been there before. */
const RUN = Date.now().toString(36);
const ADDRESSES = Array.from({ length: 4 }, (_, i) => `fault${i}-${RUN}@cellpost.test`);
const LOAD_PROGRAM = fileURLToPath(new URL('support/load-program.ts', import.meta.url));
const OUTAGE_MS = 60_000;
/** Before and after an outage. */
const MARGIN_MS = 5_000;

let cluster: TestCluster;
/** Programs run inside its network and among its processes; undefined: nothing can be killed from here. */
let inside: Cluster['inside'] | undefined;
let users: User[] = [];

const tools = cellTools(() => cluster, CELL, DEADLINE_MS);
const { kubectl, getCell, patch, settled } = tools;

before(async () => {
  if (tooLarge) return;
  cluster = await openCluster(['platform.yaml', 'cell-a.yaml']);
  const found = await findCluster();
  if (found?.kind !== 'private') return;
  inside = found.inside;
  await settled('the cell to be complete');
  await patch({ appServers: { replicas: 3 } });
  await settled('three app servers');
  for (const address of ADDRESSES) users.push(await addUser(cluster, address));
});

after(async () => {
  await cluster?.close();
});

/** The program that runs things inside, or a skip. */
function surgery(t: TestContext): NonNullable<typeof inside> | undefined {
  if (!inside) t.skip(tooLarge || 'only on a private cluster are processes and disks within reach');
  return inside;
}

async function goesOn({ report }: Load): Promise<void> {
  const before = mailsTaken(report);
  await until(() => mailsTaken(report) > before + 10, {
    timeoutMs: DEADLINE_MS,
    what: 'mails to be taken',
  });
}

test('kill -9 of a process of each kind loses no acknowledged mail', async (t) => {
  if (!surgery(t)) return;
  const [user] = users;
  assert.ok(user);
  const stop = new AbortController();
  const load = newLoad('killed');
  const sending = sendUntil(cluster, stop.signal, user, load);
  try {
    const victims: [string, string][] = [
      ['a-zk-0', 'zookeeper'],
      ['a-app-0', 'app-server'],
      ['a-hbase-0', 'master'],
      ['a-hbase-0', 'rest'],
      ['a-hbase-0', 'region-server'],
      [await podOf(tools, 'discovery'), 'discovery'],
      ['cellpost-zk-0', 'zookeeper'],
      [await podOf(tools, 'mta-proxy'), 'mta-proxy'],
      [await podOf(tools, 'web'), 'web'],
      [await podOf(tools, 'user-index'), 'user-index'],
      [await podOf(tools, 'memcache-dirty'), 'memcache-dirty'],
      ['cellpost-memcached-0', 'memcached'],
      [await podOf(tools, 'operator'), 'operator'],
    ];
    for (const [pod, container] of victims) {
      const restarts = await restartsOf(tools, pod, container);
      const before = load.acknowledged.length;
      load.longestMs = 0;
      await kill(tools, pod, container);
      await until(async () => (await restartsOf(tools, pod, container)) > restarts, {
        timeoutMs: DEADLINE_MS,
        what: `${container} of ${pod} to be started again`,
        intervalMs: 500,
      });
      await until(() => load.acknowledged.length > before + 10, {
        timeoutMs: DEADLINE_MS,
        what: `mails to be taken after the end of ${container}`,
      });
      await settled(`the cell to be whole after the end of ${container}`);
      t.diagnostic(`${pod} ${container}: the longest wait ${Math.round(load.longestMs)} ms`);
    }
  } finally {
    stop.abort();
    await sending;
  }
  t.diagnostic(`${load.acknowledged.length} acknowledged, ${load.refused} refused`);
  await assertKept(cluster, user, load.acknowledged);
});

test('the leader of ZooKeeper is lost: another leads, and no request fails', async (t) => {
  if (!surgery(t)) return;
  const load = await startLoad(cluster, users, 'leader');
  const leader = (): Promise<string | undefined> => leaderOf(tools, ['a-zk-0', 'a-zk-1', 'a-zk-2']);
  try {
    const old = await until(leader, { timeoutMs: DEADLINE_MS, what: 'a leader' });
    await kill(tools, old, 'zookeeper');
    await until(async () => ![undefined, old].includes(await leader()), {
      timeoutMs: DEADLINE_MS,
      what: 'another leader',
    });
    await goesOn(load);
    await settled('the old leader to follow');
  } finally {
    await load.stop();
  }
  tellLoad(t, load.report);
  assert.deepEqual(load.report.failures, []);
  await assertLoadKept(cluster, users, load.report);
});

test('an operator that dies at each step of a roll finishes it, and no request fails', async (t) => {
  if (!surgery(t)) return;
  const load = await startLoad(cluster, users, 'steps');
  let deaths: string[] = [];
  try {
    // Other numbers than any before.
    const more = Date.now() % 100;
    await patch({ zookeeper: cpu(21 + more), appServers: cpu(101 + more) });
    await until(async () => (await getCell()).status?.roll, { timeoutMs: DEADLINE_MS, what: 'the roll' });
    deaths = await rollThroughDeaths(tools, load, DEADLINE_MS * 2);
  } finally {
    await load.stop();
  }
  tellLoad(t, load.report);
  t.diagnostic(`the operator died at ${deaths.join(', ')}`);
  assert.ok(deaths.length >= 4, deaths.join(', '));
  assert.deepEqual(load.report.failures, []);
  await assertLoadKept(cluster, users, load.report);
});

test('the API server is away for a minute: no request fails', async (t) => {
  const run = surgery(t);
  if (!run) return;
  const address = (service: string): Promise<string> =>
    kubectl('get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}');
  const orders: LoadOrders = {
    doors: {
      web: `http://${await address('cellpost-web')}`,
      smtp: { host: await address('cellpost-mta-proxy'), port: 25 },
    },
    users,
    name: 'outage',
    forMs: OUTAGE_MS + 2 * MARGIN_MS,
  };
  // A server that is ended comes back at once; one that is stopped answers nobody.
  const outage = `pid=$(pgrep -f '^\\S+ kube-apiserver ') && sleep ${MARGIN_MS / 1000} && kill -STOP $pid && sleep ${OUTAGE_MS / 1000}; kill -CONT $pid`;
  const [report] = await Promise.all([
    run([process.execPath, LOAD_PROGRAM, JSON.stringify(orders)]),
    run(['sh', '-c', outage]),
  ]);
  const load = JSON.parse(report) as LoadReport;
  tellLoad(t, load);
  assert.ok(mailsTaken(load) > 100, `${mailsTaken(load)} mails`);
  assert.deepEqual(load.failures, []);
  await settled('the operator to go on');
  await assertLoadKept(cluster, users, load);
});

test('the volume of HBase is full: nothing acknowledged is lost, and it goes on when there is room', async (t) => {
  const run = surgery(t);
  if (!run) return;
  const [user] = users;
  assert.ok(user);
  const claim = await kubectl('get', 'pvc', 'data-a-hbase-0', '-o', 'jsonpath={.spec.volumeName}');
  const folder = await cluster.kubectl(['get', 'pv', claim, '-o', 'jsonpath={.spec.hostPath.path}']);
  const node = await kubectl('get', 'pod', 'a-hbase-0', '-o', 'jsonpath={.spec.nodeName}');
  // A small disk in place of the volume, while nothing runs on it.
  await kubectl('cordon', node);
  await kubectl('delete', 'pod', 'a-hbase-0', '--wait=true');
  const swap = `mkdir -p /run/small && mount -t tmpfs -o size=160m,mode=1777 small /run/small && cp -a ${folder}/. /run/small/ && mount --bind /run/small ${folder}`;
  await run(['sh', '-c', swap]);
  await kubectl('uncordon', node);
  await settled('HBase to run on the small disk');

  const stop = new AbortController();
  const load = newLoad('full');
  const sending = sendUntil(cluster, stop.signal, user, load);
  const taken = (more: number, what: string): Promise<unknown> => {
    const before = load.acknowledged.length;
    return until(() => load.acknowledged.length > before + more, { timeoutMs: DEADLINE_MS, what });
  };
  try {
    await taken(10, 'mails to be taken');
    await run(['sh', '-c', `dd if=/dev/zero of=${folder}/filler bs=64k 2>/dev/null; true`]);
    // None that could not be written may be taken.
    const { refused } = load;
    await until(() => load.refused > refused, { timeoutMs: DEADLINE_MS, what: 'a mail to be refused' });
    t.diagnostic(`${load.acknowledged.length} mails were taken until the volume was full`);
    await run(['rm', `${folder}/filler`]);
    // Its containers are started again ever more seldom.
    await kubectl('delete', 'pod', 'a-hbase-0', '--wait=true');
    await settled('the cell to be whole');
    await taken(10, 'mails to be taken again');
  } finally {
    stop.abort();
    await sending;
  }
  t.diagnostic(`${load.acknowledged.length} acknowledged, ${load.refused} refused`);
  await assertKept(cluster, user, load.acknowledged);
});
