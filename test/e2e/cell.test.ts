import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Rollout } from '../../operator/rollout/types.ts';
import type { Cell } from '../../operator/types.ts';
import type { LoadView } from '../../workloads/console/load-view.ts';
import { basic, openJmap } from '../support/jmap.ts';
import { until } from '../support/wait.ts';
import { openCluster, type TestCluster } from './support/cluster.ts';
import { tellLoad } from './support/load-report.ts';
import { assertLoadKept, startLoad } from './support/load.ts';
import {
  BACK_DEADLINE_MS,
  NAMESPACE,
  PASSWORD,
  assertKept,
  newLoad,
  cellctl as askCellctl,
  send,
  sendUntil,
  subjectsAt,
  withPort as atPort,
  type User,
} from './support/mail.ts';

// One platform and two cells on a real Kubernetes, as the chart and its samples make them.
const READY_DEADLINE_MS = 300_000;
const MAIL_DEADLINE_MS = 60_000;
/** Users are spread by chance over two cells: that all land in one has a chance of 2^-11. */
const USERS = Array.from({ length: 12 }, (_, i) => `user${i}@cellpost.test`);

let cluster: TestCluster;
let users: User[] = [];

before(async () => {
  cluster = await openCluster();
});

after(async () => {
  await cluster?.close();
});

const kubectl = (...args: string[]): Promise<string> => cluster.kubectl(['-n', NAMESPACE, ...args]);

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(...args, '-o', 'json')) as T;
}

const getCell = (name: string): Promise<Cell> => json<Cell>('get', 'cell', name);

const cellctl = <T>(args: string[], input = ''): Promise<T> => askCellctl<T>(cluster, args, input);

const withPort = <T>(target: string, port: number, work: (port: number) => Promise<T>): Promise<T> =>
  atPort(cluster, target, port, work);

const userOf = (cell: string): User => {
  const user = users.find((one) => one.cell === cell);
  assert.ok(user, `a user in cell ${cell}`);
  return user;
};

test('the platform and two cells come up, and kubectl tells how they fare', async () => {
  for (const what of ['platform/cellpost', 'cell/a', 'cell/b']) {
    await kubectl('wait', '--for=condition=Ready', what, `--timeout=${READY_DEADLINE_MS / 1000}s`);
  }
  for (const name of ['a', 'b']) {
    await until(async () => (await getCell(name)).status?.phase === 'Serving', {
      timeoutMs: READY_DEADLINE_MS,
      what: `cell ${name} to be complete`,
    });
  }
  const table = await kubectl('get', 'cells');
  assert.match(table, /^NAME +STATE +READY +ZK +HBASE +APP +VERSION +AGE +PHASE/);
  assert.match(table, /\na +Enabled +True +3\/3 +1\/1 +2\/2 +\S+ +\S+ +Serving/);
  assert.match(table, /\nb +Enabled +True +1\/1 +1\/1 +1\/1 +\S+ +\S+ +Serving/);
  const cell = await getCell('a');
  const conditions = Object.fromEntries((cell.status?.conditions ?? []).map((one) => [one.type, one.status]));
  assert.deepEqual(conditions, { Ready: 'True', Progressing: 'False', Degraded: 'False' });
  for (const condition of cell.status?.conditions ?? [])
    assert.equal(condition.observedGeneration, cell.metadata.generation);
});

test('each role is a StatefulSet with headless Service, budget, probes, limits and no rights', async () => {
  type Container = {
    securityContext: { readOnlyRootFilesystem: boolean; capabilities: { drop: string[] } };
    resources: { limits: { memory: string } };
    readinessProbe?: unknown;
    livenessProbe?: unknown;
  };
  type Set = {
    spec: { template: { spec: { securityContext: { runAsNonRoot: boolean }; containers: Container[] } } };
  };
  for (const name of ['a-zk', 'a-hbase', 'a-app']) {
    const set = await json<Set>('get', 'statefulset', name);
    const service = await json<{ spec: { clusterIP: string } }>('get', 'service', name);
    assert.equal(service.spec.clusterIP, 'None');
    await kubectl('get', 'pdb', name);
    const { securityContext, containers } = set.spec.template.spec;
    assert.equal(securityContext.runAsNonRoot, true);
    for (const container of containers) {
      assert.equal(container.securityContext.readOnlyRootFilesystem, true);
      assert.ok(container.readinessProbe && container.livenessProbe && container.resources.limits.memory);
    }
  }
});

test('users are spread over both cells', async () => {
  for (const address of USERS) {
    await cellctl(['user', 'add', address], PASSWORD);
    users.push(await cellctl<User>(['where', address]));
  }
  users = users.toSorted((x, y) => (x.address < y.address ? -1 : 1));
  assert.deepEqual([...new Set(users.map(({ cell }) => cell))].toSorted(), ['a', 'b']);
});

test('a mail taken by the MTA proxy is read over JMAP from the right cell, and from no other', async () => {
  const [inA, inB] = [userOf('a'), userOf('b')];
  await withPort('svc/cellpost-mta-proxy', 25, async (port) => {
    await send(port, inA.address, 'for a user of cell a');
    await send(port, inB.address, 'for a user of cell b');
    await assert.rejects(send(port, 'nobody@cellpost.test', 'for nobody'), /550/);
  });
  for (const [user, subject] of [
    [inA, 'for a user of cell a'],
    [inB, 'for a user of cell b'],
  ] as const) {
    await withPort(`pod/${user.node}`, 8081, async (port) => {
      assert.deepEqual(await subjectsAt(port, user), [subject]);
    });
    await withPort('svc/cellpost-web', 80, async (port) => {
      const jmap = await openJmap(`http://127.0.0.1:${port}`, user.address, PASSWORD);
      assert.deepEqual(await jmap.subjects(), [subject]);
    });
  }
  await withPort('pod/b-app-0', 8081, async (port) => {
    await assert.rejects(
      subjectsAt(port, inA),
      /^Error: (401|404|421)/,
      'cell b knows nothing of a user of a',
    );
  });
});

/** Asks another service as web does, whom it lets in. */
async function askFromWeb(method: string, url: string): Promise<string> {
  const headers = "{ authorization: 'Bearer ' + process.env.CELLPOST_PLATFORM_TOKEN }";
  const script = `fetch('${url}', { method: '${method}', headers: ${headers} })
    .then((response) => response.text()).then((text) => process.stdout.write(text))`;
  return await kubectl('exec', 'deploy/cellpost-web', '-c', 'web', '--', 'node', '-e', script);
}

test('counts of unread messages come from memcached, and follow a mail', async () => {
  const [inA, inB] = [userOf('a'), userOf('b')];
  const unread = async (): Promise<(number | undefined)[]> => {
    const url = `http://cellpost-memcache-dirty:8084/counts?users=${inA.userId},${inB.userId}`;
    type Answer = { counts?: Record<string, { unread: number }> };
    const { counts } = JSON.parse(await askFromWeb('GET', url)) as Answer;
    return [inA, inB].map(({ userId }) => counts?.[userId]?.unread);
  };
  const hits = async (): Promise<number> => {
    const metrics = await askFromWeb('GET', 'http://cellpost-memcache-dirty:8084/metrics');
    return Number(/_cache_requests_total\{cache="counts",result="hit"\} (\d+)/.exec(metrics)?.[1] ?? 0);
  };
  const [before = Number.NaN, other] = await unread();
  await until(async () => (await unread()) && (await hits()) > 0, {
    timeoutMs: MAIL_DEADLINE_MS,
    what: 'memcached to be asked, and to know',
  });
  await withPort('svc/cellpost-mta-proxy', 25, async (port) => {
    // Of a stranger it would lie in Other.
    await send(port, inA.address, 'one more', [], inA.address);
  });
  // The answer to the mail came after its entry was durable; the feed and memcached are milliseconds behind.
  await until(async () => (await unread())[0] === before + 1, {
    timeoutMs: MAIL_DEADLINE_MS,
    what: 'one more',
  });
  assert.equal((await unread())[1], other);
});

test('friends are known to the user index, in whichever cells they are, and their mail comes to the Inbox', async () => {
  const [inA, inB] = [userOf('a'), userOf('b')];
  const ask = (method: string, path: string): Promise<string> =>
    askFromWeb(method, `http://cellpost-user-index:8083/v1${path}`);
  assert.equal(await ask('PUT', `/friendships/${inA.userId}/${inB.userId}`), '{"degree":1}');
  await until(async () => (await ask('GET', `/degree?a=${inB.userId}&b=${inA.userId}`)) === '{"degree":1}', {
    timeoutMs: MAIL_DEADLINE_MS,
    what: 'every index to know',
  });
  await withPort('svc/cellpost-mta-proxy', 25, async (port) => {
    await send(port, inB.address, 'from a friend', [], inA.address);
    await send(port, inB.address, 'from a stranger');
  });
  await withPort('svc/cellpost-web', 80, async (port) => {
    const jmap = await openJmap(`http://127.0.0.1:${port}`, inB.address, PASSWORD);
    const [all, inbox] = [await jmap.subjects(), await jmap.subjects('inbox')];
    assert.ok(all.includes('from a friend') && all.includes('from a stranger'));
    assert.deepEqual(
      inbox.filter((subject) => subject.startsWith('from a')),
      ['from a friend'],
    );
  });
});

test('the console sees every process of the cluster, and opens by a forwarded port', async () => {
  const cellctl = ['exec', 'deploy/cellpost-mta-proxy', '-c', 'mta-proxy', '--', 'node', 'cli/cellctl.ts'];
  const view = await until(
    async () => {
      // It may still be on its way to its first look, which cellctl says by failing.
      const text = await kubectl(...cellctl, 'top', '--json').catch(() => undefined);
      const seen = text === undefined ? undefined : (JSON.parse(text) as LoadView);
      const processes = seen ? [...seen.cells.flatMap(({ nodes }) => nodes), ...seen.services] : [];
      return processes.length > 7 && processes.every(({ problem }) => problem === null) ? seen : undefined;
    },
    { timeoutMs: MAIL_DEADLINE_MS, what: 'the console to hear of every process' },
  );
  assert.deepEqual(
    view.cells.map(({ name, nodes }) => [name, ...nodes.map((node) => `${node.name} ${node.state}`)]),
    [
      ['a', 'a-app-0 serving', 'a-app-1 serving'],
      ['b', 'b-app-0 serving'],
    ],
  );
  assert.deepEqual(
    [...new Set(view.services.map(({ workload }) => workload))],
    ['discovery', 'memcache-dirty', 'mta-proxy', 'operator', 'user-index', 'web'],
  );
  for (const stage of ['parse', 'deliver', 'append'])
    assert.ok(
      view.stages.some((one) => one.stage === stage),
      stage,
    );
  assert.ok(view.stages.some(({ stage }) => stage.startsWith('hbase/')));
  const link = new URL((await kubectl(...cellctl, 'top', '--link')).trim());
  await withPort('svc/cellpost-console', 8085, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    assert.match(await (await fetch(url + link.pathname)).text(), /<title>Cellpost console<\/title>/);
    assert.equal((await fetch(`${url}/v1/load`)).status, 401);
    const authorization = `Bearer ${link.hash.replace('#key=', '')}`;
    assert.equal((await fetch(`${url}/v1/load`, { headers: { authorization } })).status, 200);
  });
});

test('an attachment too large for the log goes by the blob store and comes back byte for byte', async () => {
  const user = userOf('b');
  const content = randomBytes(300_000);
  await withPort('svc/cellpost-mta-proxy', 25, async (port) => {
    await send(port, user.address, 'with an attachment', [{ filename: 'noise.bin', content }]);
  });
  await withPort('svc/cellpost-web', 80, async (port) => {
    const webUrl = `http://127.0.0.1:${port}`;
    const jmap = await openJmap(webUrl, user.address, PASSWORD);
    const { accountId } = jmap;
    const responses = await jmap.call(
      ['Email/query', { accountId, filter: { subject: 'with an attachment' } }, 'q'],
      [
        'Email/get',
        {
          accountId,
          '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
          properties: ['attachments'],
        },
        'g',
      ],
    );
    const [email] = (responses[1]?.[1].list ?? []) as { attachments: { blobId: string; name: string }[] }[];
    const [attachment] = email?.attachments ?? [];
    assert.equal(attachment?.name, 'noise.bin');
    const { downloadUrl } = (await (
      await fetch(`${webUrl}/jmap/session`, { headers: { authorization: basic(user.address, PASSWORD) } })
    ).json()) as { downloadUrl: string };
    const path = downloadUrl
      .replace('{accountId}', accountId)
      .replace('{blobId}', attachment?.blobId ?? '')
      .replace('{name}', 'noise.bin')
      .replace('{type}', encodeURIComponent('application/octet-stream'));
    const answer = await fetch(new URL(path, webUrl), {
      headers: { authorization: basic(user.address, PASSWORD) },
    });
    assert.equal(answer.status, 200);
    assert.ok(content.equals(Buffer.from(await answer.arrayBuffer())));
  });
  const blobs = await kubectl(
    'exec',
    'cellpost-s3-0',
    '--',
    'sh',
    '-c',
    'find /data/cellpost -type f | wc -l',
  );
  assert.ok(Number(blobs) > 0, 'the S3 server has it');
});

/** The keys of all rows of a cell's log table, as latin1 text: a user's key is in the clear in them. */
async function rowKeys(cell: string): Promise<string[]> {
  const scan = `wget -qO- --header 'Accept: application/json' 'http://127.0.0.1:8080/cellpost/*'`;
  const text = await kubectl('exec', `${cell}-hbase-0`, '-c', 'rest', '--', 'sh', '-c', scan);
  const { Row } = JSON.parse(text) as { Row: { key: string }[] };
  return Row.map(({ key }) => Buffer.from(key, 'base64').toString('latin1'));
}

test('the log rows of a user lie in the HBase of its cell, and nowhere else', async () => {
  const keys = { a: await rowKeys('a'), b: await rowKeys('b') };
  for (const { userId, cell } of users) {
    const has = (rows: string[]): boolean => rows.some((key) => key.includes(userId));
    assert.equal(has(keys.a), cell === 'a', `${userId} of ${cell} in a`);
    assert.equal(has(keys.b), cell === 'b', `${userId} of ${cell} in b`);
  }
  const claims = await kubectl('get', 'pvc', '-o', 'name');
  assert.doesNotMatch(claims, /-app-/, 'app servers have no volumes');
  const files = await kubectl('exec', 'a-app-0', '--', 'sh', '-c', 'find /tmp -type f | head');
  assert.equal(files.trim(), '', 'and keep nothing in files');
});

test('deleting any pod loses no acknowledged mail', async (t) => {
  const user = userOf('a');
  const load = newLoad('mail');
  const { acknowledged } = load;
  const stop = new AbortController();
  t.after(() => stop.abort());
  const sending = sendUntil(cluster, stop.signal, user, load);
  const pods = [
    'a-app-0',
    'a-app-1',
    'a-zk-0',
    'a-zk-1',
    'a-zk-2',
    'a-hbase-0',
    'cellpost-zk-0',
    ...(await podsOf('discovery')),
    ...(await podsOf('mta-proxy')),
    ...(await podsOf('web')),
    ...(await podsOf('user-index')),
    ...(await podsOf('memcache-dirty')),
    ...(await podsOf('memcached')),
    ...(await podsOf('console')),
    ...(await podsOf('operator')),
    'cellpost-s3-0',
  ];
  for (const pod of pods) {
    const before = acknowledged.length;
    await kubectl('delete', 'pod', pod, '--wait=true', '--timeout=120s');
    // Pods of a StatefulSet come back under their names.
    if (/-\d$/.test(pod))
      await until(() => isReady(pod), { timeoutMs: BACK_DEADLINE_MS, what: `${pod} to be ready` });
    await allReady();
    await until(() => acknowledged.length > before, {
      timeoutMs: BACK_DEADLINE_MS,
      what: `a mail to be taken after the deletion of ${pod}`,
    });
    t.diagnostic(`${pod}: ${acknowledged.length - before} mails taken meanwhile`);
  }
  stop.abort();
  await sending;
  t.diagnostic(`${acknowledged.length} mails acknowledged`);
  const found = await until(
    async () => {
      const { node } = await cellctl<User>(['where', user.address]);
      return await withPort(`pod/${node}`, 8081, (port) => subjectsAt(port, user)).catch(() => undefined);
    },
    { timeoutMs: MAIL_DEADLINE_MS, what: 'the mailbox to be read' },
  );
  assert.deepEqual(
    acknowledged.filter((subject) => !found.includes(subject)),
    [],
  );
  assert.equal(new Set(found).size, found.length, 'no mail is there twice');
});

async function isReady(pod: string): Promise<boolean> {
  const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  return (await kubectl('get', 'pod', pod, '--ignore-not-found', '-o', ready)) === 'True';
}

async function podsOf(component: string): Promise<string[]> {
  const text = await kubectl('get', 'pods', '-l', `app.kubernetes.io/component=${component}`, '-o', 'name');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('pod/', ''));
}

async function allReady(): Promise<void> {
  for (const name of ['a', 'b']) {
    await until(async () => (await getCell(name)).status?.phase === 'Serving', {
      timeoutMs: BACK_DEADLINE_MS,
      what: `cell ${name} to be complete again`,
    });
  }
  await until(
    async () => {
      const platform = await json<{ status?: { phase?: string } }>('get', 'platform', 'cellpost');
      return platform.status?.phase === 'Serving';
    },
    { timeoutMs: BACK_DEADLINE_MS, what: 'the platform to be complete again' },
  );
}

/** Everybody who asks for a user of cell b hears that the cell is out of service. */
async function assertOutOfService(user: User): Promise<void> {
  await withPort('svc/cellpost-mta-proxy', 25, (port) =>
    assert.rejects(send(port, user.address, 'too early'), /451 4\.3\.2/),
  );
  await withPort('svc/cellpost-web', 80, async (port) => {
    const headers = { authorization: basic(user.address, PASSWORD) };
    const response = await fetch(`http://127.0.0.1:${port}/jmap/session`, { headers });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '30');
  });
  const token = await kubectl(
    'get',
    'secret',
    'cellpost-credentials',
    '-o',
    'go-template={{.data.platformToken | base64decode}}',
  );
  await withPort('svc/cellpost-discovery', 8090, async (port) => {
    const url = `http://127.0.0.1:${port}/v1/where?key=user:${user.userId}`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(response.status, 503);
    const { type, cell } = (await response.json()) as { type: string; cell: string };
    assert.deepEqual([type, cell], ['urn:cellpost:error:cell-disabled', 'b']);
  });
}

test('a cell goes through all states and keeps its mail, and no request of another cell’s users fails', async (t) => {
  await allReady();
  const others = users.filter(({ cell }) => cell === 'a').slice(0, 2);
  const user = userOf('b');
  const taken: string[] = [];
  const load = await startLoad(cluster, others, 'states');
  const become = async (state: string, seen: (phase: string) => boolean): Promise<void> => {
    load.enter(state);
    await kubectl('patch', 'cell', 'b', '--type=merge', '-p', JSON.stringify({ spec: { state } }));
    await until(
      async () => {
        const { status, metadata } = await getCell('b');
        const now = status?.observedGeneration === metadata.generation && status?.nextAction === '';
        return now && seen(status?.phase ?? '');
      },
      { timeoutMs: READY_DEADLINE_MS, what: `cell b to be ${state}` },
    );
  };
  const takes = async (subject: string): Promise<void> => {
    await withPort('svc/cellpost-mta-proxy', 25, (port) => send(port, user.address, subject));
    taken.push(subject);
  };
  const claims = await kubectl('get', 'pvc', '-l', 'cellpost.dev/cell=b', '-o', 'name');
  const { replicas } = (await getCell('b')).spec.appServers;
  try {
    await takes('enabled');
    await become('Draining', () => true);
    await takes('draining');
    await become('Disabled', () => true);
    await assertOutOfService(user);
    await become('Enabled', (phase) => phase === 'Serving');
    await takes('enabled again');
    await become('Hibernated', (phase) => phase.startsWith('The cell hibernates'));
    assert.equal(await kubectl('get', 'pods', '-l', 'cellpost.dev/cell=b', '-o', 'name'), '');
    assert.equal(await kubectl('get', 'pvc', '-l', 'cellpost.dev/cell=b', '-o', 'name'), claims);
    assert.equal((await getCell('b')).spec.appServers.replicas, replicas);
    await assertOutOfService(user);
    await become('Enabled', (phase) => phase === 'Serving');
    await takes('awake');
  } finally {
    await load.stop();
  }
  tellLoad(t, load.report);
  assert.deepEqual(load.report.failures, []);
  await assertLoadKept(cluster, others, load.report);
  await assertKept(cluster, user, taken);
  const { node } = await cellctl<User>(['where', user.address]);
  const found = await withPort(`pod/${node}`, 8081, (port) => subjectsAt(port, user));
  assert.ok(!found.includes('too early'), 'what was refused is not there');
});

test('a version goes through cells and services by a Rollout, a bad one comes back, and no mail is lost', async (t) => {
  await allReady();
  const user = userOf('b');
  const load = newLoad('rollout');
  const stop = new AbortController();
  t.after(() => stop.abort());
  const sending = sendUntil(cluster, stop.signal, user, load);
  const before = (await getCell('a')).status?.version ?? '';
  // Where nodes can't be given another tag, the fleet is told to run what it runs.
  const next = (await cluster.tag('next')) ? 'next' : before;
  const rollOut = async (name: string, spec: object, outcome: string): Promise<Rollout> => {
    const rollout = {
      apiVersion: 'cellpost.dev/v1alpha1',
      kind: 'Rollout',
      metadata: { name, namespace: NAMESPACE },
      spec: { bakeSeconds: 3, canary: { cells: ['b'] }, ...spec },
    };
    await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(rollout));
    let seen: Rollout | undefined;
    const over = async (): Promise<Rollout | undefined> => {
      seen = await json<Rollout>('get', 'rollout', name);
      return seen.status?.outcome === undefined ? undefined : seen;
    };
    const ended = await until(over, {
      timeoutMs: READY_DEADLINE_MS,
      what: `the end of rollout ${name}`,
    }).catch((error: unknown) => {
      throw new Error(`rollout ${name}: ${JSON.stringify(seen?.status)}`, { cause: error });
    });
    assert.equal(ended.status?.outcome, outcome, JSON.stringify(ended.status));
    return ended;
  };
  const done = await rollOut('good', { version: next }, 'Complete');
  assert.equal(done.status?.summary, '3/3');
  for (const cell of ['a', 'b']) assert.equal((await getCell(cell)).status?.version, next);
  const image = 'jsonpath={.spec.template.spec.containers[0].image}';
  assert.ok((await kubectl('get', 'deployment', 'cellpost-web', '-o', image)).endsWith(`:${next}`));

  const back = await rollOut(
    'bad',
    { version: 'no-such-version', gates: { degradedSeconds: 3 } },
    'RolledBack',
  );
  assert.match(back.status?.phase ?? '', /^Rolled back: Cell b is degraded at no-such-version: /);
  for (const cell of ['a', 'b']) assert.equal((await getCell(cell)).spec.version, next);
  await allReady();
  stop.abort();
  await sending;
  t.diagnostic(
    `${load.acknowledged.length} mails acknowledged, ${load.refused} refused, the longest ${Math.round(load.longestMs)} ms`,
  );
  const { node } = await cellctl<User>(['where', user.address]);
  const found = await withPort(`pod/${node}`, 8081, (port) => subjectsAt(port, user));
  assert.deepEqual(
    load.acknowledged.filter((subject) => !found.includes(subject)),
    [],
  );
});

test('an upgrade of the operator restarts no pod of platform and cells', async (t) => {
  await allReady();
  type Pods = {
    items: {
      metadata: { name: string; uid: string };
      status: { containerStatuses?: { restartCount: number }[] };
    }[];
  };
  const pods = async (): Promise<string[]> =>
    (await json<Pods>('get', 'pods', '-l', 'app.kubernetes.io/managed-by=cellpost')).items
      .map(({ metadata: { name, uid }, status }) =>
        [name, uid, ...(status.containerStatuses ?? []).map((one) => one.restartCount)].join(' '),
      )
      .sort();
  const before = await pods();
  assert.ok(before.length > 10);
  if (!(await cluster.upgrade('upgraded')))
    return t.skip('the nodes of this cluster can not be given another tag');
  const image = 'jsonpath={.spec.template.spec.containers[0].image}';
  assert.match(await kubectl('get', 'deployment', 'cellpost-operator', '-o', image), /:upgraded$/);
  // The new operator looks at everything, and at a cell that is not as it was.
  await kubectl('label', 'service', 'a-app', 'app.kubernetes.io/part-of=nothing', '--overwrite');
  await until(
    async () => !(await kubectl('get', 'service', 'a-app', '--show-labels')).includes('part-of=nothing'),
    { timeoutMs: MAIL_DEADLINE_MS, what: 'the new operator to put a label right' },
  );
  await allReady();
  assert.deepEqual(await pods(), before);
});

test('reconciling what has not changed makes no write to the Kubernetes API', async () => {
  await allReady();
  const lease = await json<{ spec: { holderIdentity: string } }>('get', 'lease', 'cellpost-operator');
  await withPort(`pod/${lease.spec.holderIdentity}`, 8083, async (port) => {
    const metric = async (name: string, except = '\n'): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(name) && !line.includes(except))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    };
    const kinds = 'cells,statefulsets,deployments,services,configmaps,secrets,pdb,networkpolicies';
    type Listed = { items: { kind: string; metadata: { name: string; resourceVersion: string } }[] };
    const versions = async (): Promise<string[]> =>
      (await json<Listed>('get', kinds, '-l', 'app.kubernetes.io/managed-by=cellpost')).items.map(
        ({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`,
      );
    const reconciles = (): Promise<number> => metric('cellpost_operator_reconcile_duration_seconds_count');
    const writes = (): Promise<number> => metric('cellpost_operator_api_writes_total', 'leases');
    const before = { writes: await writes(), versions: await versions(), reconciles: await reconciles() };
    assert.ok(before.versions.length > 20);
    for (const value of ['once', 'twice', 'thrice']) {
      // Concerns nobody, and makes the platform and both its cells be looked at.
      await kubectl('label', 'platform', 'cellpost', `looked=${value}`, '--overwrite');
    }
    await until(async () => (await reconciles()) >= before.reconciles + 6, {
      timeoutMs: MAIL_DEADLINE_MS,
      what: 'more reconciles',
    });
    assert.equal(await writes(), before.writes);
    assert.deepEqual(await versions(), before.versions);
  });
});

test('a cell with impossible numbers is refused at kubectl apply, with a sentence', async () => {
  const cell = {
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'refused', namespace: NAMESPACE },
    spec: { zookeeper: { replicas: 2 }, appServers: { cacheBytes: 629_145_600 } },
  };
  await assert.rejects(cluster.kubectl(['apply', '-f', '-'], JSON.stringify(cell)), (error: Error) => {
    assert.match(error.message, /zookeeper\.replicas must be 1, 3, 5 or 7/);
    assert.match(error.message, /cacheBytes may be at most half of resources\.limits\.memory/);
    return true;
  });
});

test('a cell that holds users is not deleted until an annotation says so, and then leaves nothing', async () => {
  await kubectl('delete', 'cell', 'b', '--wait=false');
  const refused = await until(
    async () => {
      const cell = await getCell('b');
      return cell.status?.conditions?.some(({ type }) => type === 'Deleting') ? cell : undefined;
    },
    { timeoutMs: MAIL_DEADLINE_MS, what: 'the refusal' },
  );
  assert.match(refused.status?.blockedBy ?? '', /Discovery maps \d+ buckets of users to it/);
  const inB = userOf('b');
  await withPort(`pod/${inB.node}`, 8081, async (port) => {
    assert.ok((await subjectsAt(port, inB)).length > 0, 'its users are still served');
  });

  await kubectl('annotate', 'cell', 'b', 'cellpost.dev/delete-with-data=true');
  await kubectl('wait', '--for=delete', 'cell/b', '--timeout=180s');
  const kinds = 'pods,statefulsets,services,endpointslices,configmaps,secrets,pvc,pdb,networkpolicies';
  await until(
    async () => (await kubectl('get', kinds, '-l', 'cellpost.dev/cell=b', '-o', 'name')).trim() === '',
    {
      timeoutMs: MAIL_DEADLINE_MS,
      what: 'everything of the cell to be gone',
    },
  );
  await until(
    async () =>
      !(await cluster.kubectl(['get', 'pv', '-o', 'jsonpath={.items[*].spec.claimRef.name}'])).includes(
        'data-b-',
      ),
    { timeoutMs: MAIL_DEADLINE_MS, what: 'the volumes of its claims to be reclaimed' },
  );
  const nodes = await cellctl<{ cell: string }[]>(['nodes']);
  assert.deepEqual([...new Set(nodes.map(({ cell }) => cell))], ['a']);
});
