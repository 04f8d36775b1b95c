import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { OperatorHarness } from '../support/operator-harness.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

// The whole operator, while what lies between it and the API server fails it all the time.
const CUT_EVERY_MS = 1_000;

let world: OperatorHarness;

before(async () => {
  world = await OperatorHarness.start();
});

after(async () => {
  await world?.close();
});

/** The operator that the harness has begun ends; the next one reaches the API server by another way. */
async function goBy(t: TestContext, url: string): Promise<void> {
  await world.operator?.close();
  await world.startOperator(await world.kubeconfigBy(url));
  // Whatever the test said: the way is closed after it.
  t.after(async () => world.operator?.close());
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
  t.after(() => proxy.close());
  t.after(() => clearInterval(cutting));
  await goBy(t, `https://127.0.0.1:${proxy.port}`);
  await liveThrough('cut');
  assert.ok(cuts > 0);
  t.diagnostic(`${cuts} cuts`);
});
