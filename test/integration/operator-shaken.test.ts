import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { OperatorHarness } from '../support/operator-harness.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { startThrottlingProxy } from '../support/throttling-proxy.ts';
import { until } from '../support/wait.ts';

// The whole operator, while what lies between it and the API server fails it all the time, or the API server has too much to do.
const CUT_EVERY_MS = 1_000;
const REFUSED = 0.3;
const DEADLINE_MS = 120_000;
/** What the operator asks while a cell comes up, is changed and goes. */
const KINDS = [
  'get leases',
  'put leases',
  'list cells',
  'watch cells',
  'watch pods',
  'list pods',
  'patch cells',
  'patch cells/status',
  'patch statefulsets',
  'patch services',
  'patch poddisruptionbudgets',
  'patch networkpolicies',
  'patch configmaps',
  'patch secrets',
  'delete pods',
  'delete statefulsets',
  'delete persistentvolumeclaims',
  'post events',
];

let world: OperatorHarness;

before(async () => {
  world = await OperatorHarness.start();
});

after(async () => {
  await world?.close();
});

type Way = { url: string; close(): Promise<void> };

/** The operator that the harness has begun ends; the next one reaches the API server by another way, for the test. */
async function goBy(t: TestContext, way: Way): Promise<void> {
  // Whatever the test says: the operator gives its lease back before the way is closed.
  t.after(async () => {
    await world.operator?.close();
    await way.close();
  });
  await world.operator?.close();
  await world.startOperator(await world.kubeconfigBy(way.url));
}

/** A cell comes up, is changed in many ways at once, and is put right: each needs events that no watch may miss. */
async function liveThrough(name: string): Promise<void> {
  await world.bringUp(name, { appServers: { replicas: 2 } });
  const before = await world.uids(name);
  await world.server.kubectl(['delete', 'pdb', `${name}-app`]);
  await world.server.kubectl(['scale', 'statefulset', `${name}-app`, '--replicas=5']);
  await world.patch(name, { version: '2.0', rollout: { gates: { minRequests: 10 } } });
  const done = await world.waitForCell(name, 'to run the new version', ({ status, metadata }) => {
    const seen = status?.observedGeneration === metadata.generation;
    return seen && status?.version === '2.0' && status.phase === 'Serving' && !status.roll;
  });
  assert.equal(done.status?.appServers?.summary, '2/2');
  const now = await world.uids(name);
  for (const pod of [`${name}-app-0`, `${name}-app-1`]) assert.notEqual(now.get(pod), before.get(pod), pod);
  assert.match(
    await world.server.kubectl(['get', 'pdb', `${name}-app`, '-o', 'name']),
    /poddisruptionbudget/,
  );
}

test('watches and requests that are cut every second: a cell comes up and is rolled, and nothing is missed', async (t) => {
  const { port } = new URL(world.server.config.getCurrentCluster()?.server ?? '');
  const proxy = await startTcpProxy(Number(port));
  let cuts = 0;
  const cutting = setInterval(() => {
    cuts++;
    proxy.cut();
  }, CUT_EVERY_MS);
  t.after(() => clearInterval(cutting));
  await goBy(t, { url: `https://127.0.0.1:${proxy.port}`, close: proxy.close });
  await liveThrough('cut');
  assert.ok(cuts > 0);
  t.diagnostic(`${cuts} cuts`);
});

/** The cell goes with all that it had. */
async function takeDown(name: string): Promise<void> {
  await world.server.kubectl(['delete', 'cell', name, '--wait=false']);
  const left = async (): Promise<string> =>
    await world.server.kubectl([
      'get',
      'cells,statefulsets,pods,pvc,services,configmaps,secrets,pdb,networkpolicies',
      '-l',
      `cellpost.dev/cell=${name}`,
      '-o',
      'name',
    ]);
  await until(async () => (await left()) === '', { timeoutMs: DEADLINE_MS, what: `what ${name} had to go` });
  await until(async () => (await world.server.kubectl(['get', 'cell', name, '--ignore-not-found'])) === '', {
    timeoutMs: DEADLINE_MS,
    what: `cell ${name} to go`,
  });
}

test('three requests of ten are told to come again later: a cell comes up, is changed and goes, and no request is lost', async (t) => {
  const proxy = await startThrottlingProxy(world.server.config, REFUSED);
  await goBy(t, proxy);
  await liveThrough('told-later');
  const events = await world.eventsOf('told-later');
  assert.ok(!events.some((event) => event.startsWith('Warning Trouble')), events.join('\n'));
  await takeDown('told-later');
  for (const kind of KINDS)
    assert.ok(proxy.refused.has(kind), `${kind} in ${[...proxy.refused.keys()].join()}`);
  await until(() => proxy.lost().length === 0, {
    timeoutMs: DEADLINE_MS,
    intervalMs: 10,
    what: 'all that was refused to come again',
  }).catch((error: unknown) => {
    throw new Error(`Lost: ${proxy.lost().join(', ')}.`, { cause: error });
  });
  const refused = [...proxy.refused.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${refused} requests of ${proxy.refused.size} kinds refused, ${proxy.passed()} passed`);
});
