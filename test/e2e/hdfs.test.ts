import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test, type TestContext } from 'node:test';
import { findCluster } from '../cluster/cluster.ts';
import { until } from '../support/wait.ts';
import { cellTools, cpu } from './support/cell.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { tooLarge } from './support/large.ts';
import { tellLoad, type LoadReport } from './support/load-report.ts';
import { assertLoadKept, startLoad as startRequests } from './support/load.ts';
import { kill, restartsOf, rollThroughDeaths } from './support/processes.ts';
import {
  addUser,
  assertKept,
  newLoad,
  send,
  sendUntil,
  subjectsAt,
  withPort,
  type SmtpLoad,
  type User,
} from './support/mail.ts';

// One cell with HBase on HDFS: two NameNodes, three journals, three DataNodes, two masters, two region servers.
const CELL = 'c';
const SAMPLE = new URL('../../charts/cellpost/samples-hdfs/cell-c.yaml', import.meta.url);
/** Some twenty JVMs start one role after another, perhaps on two busy cores; a return after a loss, or a roll, may take as long. */
const READY_DEADLINE_MS = 900_000;
/** Of this run: the cell may have been there before. */
const RUN = Date.now().toString(36);
const ADDRESSES = [`left-${RUN}@cellpost.test`, `right-${RUN}@cellpost.test`];

let cluster: TestCluster;
let users: User[] = [];

before(async () => {
  if (tooLarge) return;
  cluster = await openCluster(['platform.yaml']);
  await cluster.kubectl(['apply', '-f', '-'], await readFile(SAMPLE, 'utf8'));
});

after(async () => {
  await cluster?.close();
});

const tools = cellTools(() => cluster, CELL, READY_DEADLINE_MS);
const { kubectl, getCell, patch, uidOf, isReady, settled } = tools;

const complete = (): Promise<unknown> =>
  until(async () => (await getCell()).status?.phase === 'Serving', {
    timeoutMs: READY_DEADLINE_MS,
    what: 'the cell to be complete',
  });

/** The bean of a server's /jmx, asked inside its pod. */
async function bean(
  pod: string,
  container: string,
  port: number,
  name: string,
): Promise<Record<string, unknown>> {
  const url = `http://127.0.0.1:${port}/jmx?qry=${name}`;
  const text = await kubectl('exec', pod, '-c', container, '--', 'wget', '-qO-', url);
  const { beans } = JSON.parse(text) as { beans: Record<string, unknown>[] };
  return beans[0] ?? {};
}

async function activeOf(pods: string[], active: (pod: string) => Promise<boolean>): Promise<string> {
  for (const pod of pods) if (await active(pod)) return pod;
  throw new Error(`None of ${pods.join(', ')} is active.`);
}

const activeNameNode = (): Promise<string> =>
  activeOf(['c-nn-0', 'c-nn-1'], async (pod) => {
    const status = await bean(pod, 'name-node', 9870, 'Hadoop:service=NameNode,name=NameNodeStatus');
    return status.State === 'active';
  });

const activeMaster = (): Promise<string> =>
  activeOf(['c-hm-0', 'c-hm-1'], async (pod) => {
    const status = await bean(pod, 'master', 16010, 'Hadoop:service=HBase,name=Master,sub=Server');
    return status['tag.isActiveMaster'] === 'true';
  });

/** Starts a writer for each user; ending it waits for the last answers. */
function startLoad(t: TestContext, name: string): { loads: SmtpLoad[]; end(): Promise<void> } {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const started = users.map((user) => {
    const load = newLoad(name);
    return { load, writing: sendUntil(cluster, stop.signal, user, load) };
  });
  return {
    loads: started.map(({ load }) => load),
    async end() {
      stop.abort();
      await Promise.all(started.map(({ writing }) => writing));
    },
  };
}

const taken = (loads: SmtpLoad[]): number => loads.reduce((sum, one) => sum + one.acknowledged.length, 0);

/** Each acknowledged mail is in its user's mailbox, once. */
async function assertNothingLost(t: TestContext, loads: SmtpLoad[]): Promise<void> {
  for (const [n, user] of users.entries()) {
    const load = loads[n];
    assert.ok(load);
    t.diagnostic(
      `${user.address}: ${load.acknowledged.length} acknowledged, ${load.refused} refused, longest ${Math.round(load.longestMs)} ms`,
    );
    await assertKept(cluster, user, load.acknowledged);
  }
}

test(
  'a cell with HDFS comes up, and its status tells under which id HDFS is formatted',
  { skip: tooLarge },
  async (t) => {
    const start = performance.now();
    await complete();
    t.diagnostic(`Serving after ${Math.round((performance.now() - start) / 1000)} s`);
    const { status, metadata } = await getCell();
    assert.equal(status?.hdfs?.summary, '8/8');
    assert.equal(status?.hbase?.summary, '5/5');
    assert.equal(status?.hdfs?.clusterId, `CID-${metadata.uid}`);
    assert.ok(status?.hdfs?.formattedAt);
    for (const address of ADDRESSES) users.push(await addUser(cluster, address));
    const [user] = users;
    assert.ok(user);
    await withPort(cluster, 'svc/cellpost-mta-proxy', 25, (port) => send(port, user.address, 'the first'));
    await withPort(cluster, `pod/${user.node}`, 8081, async (port) => {
      assert.deepEqual(await subjectsAt(port, user), ['the first']);
    });
  },
);

const LEFT = 'jsonpath={range .items[*]}{.metadata.name} {end}';
const namesOf = async (kind: string): Promise<string[]> =>
  (await kubectl('get', kind, '-l', `cellpost.dev/cell=${CELL}`, '-o', LEFT)).trim().split(' ').toSorted();

/** Does something to one after another, with mail coming in: none that was taken is lost, and each time mail goes on. */
async function oneByOne(
  t: TestContext,
  name: string,
  victims: { called: string; lose: () => Promise<void> }[],
): Promise<void> {
  const { loads, end } = startLoad(t, name);
  for (const { called, lose } of victims) {
    const before = taken(loads);
    for (const load of loads) load.longestMs = 0;
    await lose();
    await complete();
    await until(() => taken(loads) > before, {
      timeoutMs: READY_DEADLINE_MS,
      what: `a mail to be taken after the loss of ${called}`,
    });
    const longest = Math.max(...loads.map(({ longestMs }) => longestMs));
    t.diagnostic(
      `${called}: ${taken(loads) - before} mails taken, the longest wait ${Math.round(longest)} ms`,
    );
  }
  await end();
  await assertNothingLost(t, loads);
}

test('deleting any one pod of the cell loses no acknowledged mail', { skip: tooLarge }, async (t) => {
  const pods = await namesOf('pods');
  const victims = pods.map((pod) => ({
    called: pod,
    async lose() {
      await kubectl('delete', 'pod', pod, '--wait=true', '--timeout=120s');
      await until(() => isReady(pod), { timeoutMs: READY_DEADLINE_MS, what: `${pod} to be ready` });
    },
  }));
  assert.ok(victims.length >= 15, pods.join(', '));
  await oneByOne(t, 'one by one', victims);
});

test('kill -9 of a process of each kind loses no acknowledged mail', { skip: tooLarge }, async (t) => {
  if ((await findCluster())?.kind !== 'private') return t.skip('processes are out of reach');
  const nameNode = await activeNameNode();
  const processes: [pod: string, container: string][] = [
    ['c-jn-1', 'journal-node'],
    [nameNode, 'failover'],
    [nameNode, 'name-node'],
    ['c-dn-1', 'data-node'],
    [await activeMaster(), 'master'],
    ['c-rs-0', 'region-server'],
    ['c-rest-0', 'rest'],
  ];
  const victims = processes.map(([pod, container]) => ({
    called: `${container} of ${pod}`,
    async lose() {
      const restarts = await restartsOf(tools, pod, container);
      await kill(tools, pod, container);
      await until(async () => (await restartsOf(tools, pod, container)) > restarts && (await isReady(pod)), {
        timeoutMs: READY_DEADLINE_MS,
        what: `${container} of ${pod} to be there again`,
        intervalMs: 500,
      });
    },
  }));
  await oneByOne(t, 'killed', victims);
});

test(
  'a NameNode whose volume is lost copies from the other and formats nothing',
  { skip: tooLarge },
  async () => {
    const uid = await uidOf('c-nn-1');
    await kubectl('delete', 'pvc', 'data-c-nn-1', '--wait=false');
    await kubectl('delete', 'pod', 'c-nn-1', '--wait=true', '--timeout=120s');
    // A pod may be made before its old claim is gone, and waits then for one that does not come.
    await until(
      async () => {
        if ((await uidOf('c-nn-1')) !== uid && (await isReady('c-nn-1'))) return true;
        const claim = await kubectl('get', 'pvc', 'data-c-nn-1', '--ignore-not-found', '-o', 'name');
        if (claim === '') await kubectl('delete', 'pod', 'c-nn-1', '--ignore-not-found', '--wait=false');
        return false;
      },
      { timeoutMs: READY_DEADLINE_MS, intervalMs: 2_000, what: 'c-nn-1 to be ready with a new volume' },
    );
    const log = await kubectl('logs', 'c-nn-1', '-c', 'format');
    assert.match(log, /^copying from c-nn-0\./m);
    assert.doesNotMatch(log, /^formatting as/m);
    await complete();
  },
);

test('deleting all pods of the cell at once loses no acknowledged mail', { skip: tooLarge }, async (t) => {
  const { loads, end } = startLoad(t, 'all at once');
  await until(() => loads.every(({ acknowledged }) => acknowledged.length > 5), {
    timeoutMs: READY_DEADLINE_MS,
    what: 'some mails',
  });
  const before = taken(loads);
  await kubectl('delete', 'pods', '-l', `cellpost.dev/cell=${CELL}`, '--grace-period=0', '--force');
  await until(() => taken(loads) > before + 10, {
    timeoutMs: READY_DEADLINE_MS,
    what: 'mails to be taken again',
  });
  await complete();
  await end();
  await assertNothingLost(t, loads);
});

/** No request failed, and each mail that was taken is there. */
async function assertNoneFailed(t: TestContext, report: LoadReport): Promise<void> {
  tellLoad(t, report);
  assert.deepEqual(report.failures, []);
  await assertLoadKept(cluster, users, report);
}

test('both masters are lost at once: no request needs them', { skip: tooLarge }, async (t) => {
  const load = await startRequests(cluster, users, 'masters');
  try {
    await kubectl('delete', 'pods', 'c-hm-0', 'c-hm-1', '--grace-period=0', '--force');
    await complete();
  } finally {
    await load.stop();
  }
  await assertNoneFailed(t, load.report);
});

test(
  'DataNodes and region servers become more and fewer; no request fails',
  { skip: tooLarge },
  async (t) => {
    const before = await namesOf('pods');
    const claims = await namesOf('pvc');
    const load = await startRequests(cluster, users, 'more and fewer');
    try {
      await patch({ hbase: { regionServers: 3, hdfs: { dataNodes: { replicas: 4 } } } });
      await settled('a third region server and a fourth DataNode', load);
      assert.deepEqual(await namesOf('pods'), [...before, 'c-dn-3', 'c-rs-2'].toSorted());
      await patch({ hbase: { regionServers: 2, hdfs: { dataNodes: { replicas: 3 } } } });
      await settled('their end', load);
    } finally {
      await load.stop();
    }
    assert.deepEqual(await namesOf('pods'), before);
    assert.deepEqual(await namesOf('pvc'), claims, 'the volume of the fourth DataNode is gone');
    await assertNoneFailed(t, load.report);
  },
);

test('all pods of the cell are made anew under load; no request fails', { skip: tooLarge }, async (t) => {
  const before = new Map(
    await Promise.all((await namesOf('pods')).map(async (pod) => [pod, await uidOf(pod)] as const)),
  );
  const asks = { resources: { requests: { cpu: '21m' } } };
  const load = await startRequests(cluster, users, 'roll');
  const start = performance.now();
  try {
    await patch({
      zookeeper: { resources: { requests: { cpu: '22m' } } },
      hbase: {
        master: asks,
        regionServer: asks,
        rest: asks,
        hdfs: { nameNodes: asks, journalNodes: { resources: { requests: { cpu: '22m' } } }, dataNodes: asks },
      },
      appServers: asks,
    });
    await until(async () => (await getCell()).status?.roll, {
      timeoutMs: READY_DEADLINE_MS,
      what: 'the roll to begin',
    });
    await settled('the roll to end', load);
  } finally {
    await load.stop();
  }
  t.diagnostic(`${before.size} pods in ${Math.round((performance.now() - start) / 1000)} s`);
  for (const [pod, uid] of before) assert.notEqual(await uidOf(pod), uid, `${pod} was made anew`);
  await assertNoneFailed(t, load.report);
});

test(
  'an operator that dies at each step of a roll of HDFS and HBase finishes it, and no request fails',
  { skip: tooLarge },
  async (t) => {
    // Another number than any before.
    const asks = cpu(30 + (Date.now() % 50));
    const load = await startRequests(cluster, users, 'steps');
    let deaths: string[] = [];
    try {
      await patch({ hbase: { regionServer: asks, hdfs: { nameNodes: asks, dataNodes: asks } } });
      await until(async () => (await getCell()).status?.roll, {
        timeoutMs: READY_DEADLINE_MS,
        what: 'the roll to begin',
      });
      deaths = await rollThroughDeaths(tools, load, READY_DEADLINE_MS);
    } finally {
      await load.stop();
    }
    t.diagnostic(`the operator died at ${deaths.join(', ')}`);
    assert.ok(deaths.length >= 5, deaths.join(', '));
    await assertNoneFailed(t, load.report);
    assert.equal((await getCell()).status?.resting, undefined, 'no DataNode rests any longer');
  },
);

test('impossible changes of its storage are refused with a sentence', { skip: tooLarge }, async () => {
  for (const [spec, sentence] of [
    [{ hbase: { storage: 'Local', hdfs: null } }, /hbase\.storage can't change/],
    [{ hbase: { hdfs: { dataNodes: { replicas: 1 } } } }, /replication may not be above/],
    [{ hbase: { hdfs: { nameNodes: { replicas: 1 } } } }, /nameNodes\.replicas can't change/],
    [{ hbase: { hdfs: { replication: 4 } } }, /replication may not be above/],
  ] as const)
    await assert.rejects(patch(spec), sentence);
});
