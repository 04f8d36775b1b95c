import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RollFacts } from '../../operator/cell/roll/facts.ts';
import { lookAtLive } from '../../cli/plan/live.ts';
import { preview } from '../../cli/plan/preview.ts';
import { cellctlOutput, runCellctl } from '../support/cellctl.ts';
import { OperatorHarness } from '../support/operator-harness.ts';
import { until } from '../support/wait.ts';

// cellctl beside a real API server and operator. Pods are no processes here, so none can be asked who leads: what cellctl
// makes of the answers is tried with answers of the test's.
let world: OperatorHarness;
let env: NodeJS.ProcessEnv;

before(async () => {
  world = await OperatorHarness.start();
  env = { KUBECONFIG: world.server.kubeconfig };
  await world.bringUp('planned', { zookeeper: { replicas: 3 }, appServers: { replicas: 3 } });
});

after(async () => {
  await world?.close();
});

type Plan = {
  members: { pod: string; why: string }[];
  more: unknown[];
  fewer: { pod: string }[];
  made: string[];
  gates: string[];
  seconds: number;
  unasked: string[];
};

const manifest = (name: string, spec: unknown): string =>
  JSON.stringify({ apiVersion: 'cellpost.dev/v1alpha1', kind: 'Cell', metadata: { name }, spec });
const plan = (spec: unknown, name = 'planned'): Promise<Plan> =>
  runCellctl<Plan>(['plan', '-f', '-'], env, manifest(name, spec));
const pods = ({ members }: Plan): string[] => members.map(({ pod }) => pod);

test('a cell that is as its spec says has nothing planned', async () => {
  const told = await runCellctl<Plan>(['plan', 'planned'], env);
  assert.deepEqual([told.members, told.more, told.fewer, told.made, told.gates], [[], [], [], [], []]);
  assert.match(
    await cellctlOutput(['plan', 'planned'], env),
    /^All pods of cell planned run what they should\./,
  );
});

test('a changed spec is previewed: which pods, in order, which go for good; nothing is changed', async () => {
  const before = await world.cell('planned');
  const told = await plan({
    zookeeper: { jvm: { options: ['-XX:MaxGCPauseMillis=50'] } },
    hbase: { rest: { resources: { limits: { memory: '384Mi' } } } },
    appServers: { replicas: 2 },
  });
  assert.deepEqual(pods(told), ['planned-zk-2', 'planned-zk-1', 'planned-zk-0', 'planned-hbase-0']);
  assert.ok(told.members.every(({ why }) => why === 'the spec changes it'));
  assert.deepEqual(told.fewer, [{ pod: 'planned-app-2', role: 'app-server' }]);
  assert.equal(told.seconds, 3 * 15 + 45);
  assert.ok(told.unasked.includes('planned-zk-0'), 'what could not be asked is told');
  const version = await plan({ version: '9.9' });
  assert.deepEqual(pods(version), ['planned-app-2', 'planned-app-1', 'planned-app-0']);
  const more = await plan({ appServers: { replicas: 5 } });
  assert.deepEqual(more.more, [{ role: 'app-server', from: 3, to: 5 }]);
  assert.deepEqual(pods(more), []);
  const { metadata, spec } = await world.cell('planned');
  assert.equal(metadata.resourceVersion, before.metadata.resourceVersion);
  assert.deepEqual(spec, before.spec);
});

test('the plan is what the operator then does', async () => {
  const change = { rollout: { paused: true }, appServers: { resources: { requests: { cpu: '102m' } } } };
  const told = await plan(change);
  assert.deepEqual(told.gates, ['spec.rollout.paused must be false.']);
  await world.patch('planned', change);
  await world.waitForCell('planned', 'to pause', ({ status }) => status?.roll);
  const now = await runCellctl<Plan>(['plan', 'planned'], env);
  assert.deepEqual(pods(now), pods(told));
  assert.ok(now.members.every(({ why }) => why === 'it is outdated now'));
  assert.match(
    await cellctlOutput(['plan', 'planned'], env),
    /The operator waits for: spec\.rollout\.paused must be false\./,
  );
  await world.patch('planned', { rollout: { paused: false } });
  await world.waitForCell(
    'planned',
    'to be rolled',
    ({ status }) => status?.phase === 'Serving' && !status.roll,
  );
  const rolled = (await world.eventsOf('planned'))
    .filter((event) => event.startsWith('Normal RollPod'))
    .map((event) => /Pod (\S+)/.exec(event)?.[1]);
  assert.deepEqual(rolled, pods(told));
});

test('who leads goes last, as the servers themselves say', async () => {
  const { api, close } = world.client();
  try {
    const cell = await world.cell('planned');
    const live = await lookAtLive(api, cell);
    const facts: RollFacts = {
      bounds: { maxErrorPercent: 5, maxP99Ms: 2_000 },
      goesBack: [],
      wanted: { zookeeper: 3, appServers: 3 },
      zookeeper: new Map([
        ['planned-zk-1', { state: 'follower', syncedFollowers: 0 }],
        ['planned-zk-2', { state: 'leader', syncedFollowers: 1 }],
      ]),
      appServers: [],
      discovery: [],
    };
    const spec = structuredClone(cell.spec);
    spec.zookeeper.jvm = { options: ['-Xss1m'] };
    const told = preview(live, spec, facts, new Date());
    assert.deepEqual(
      told.members.map(({ pod, leads }) => [pod, leads]),
      [
        ['planned-zk-1', false],
        ['planned-zk-0', false],
        ['planned-zk-2', true],
      ],
    );
    assert.deepEqual(told.gates, ['2 followers of ZooKeeper must be in step with the leader; 1 are.']);
  } finally {
    await close();
  }
});

test('a new cell is previewed, and a spec that the API server refuses is refused with its sentence', async () => {
  const told = await plan({ zookeeper: { replicas: 1 } }, 'tomorrow');
  assert.deepEqual(told.made, ['tomorrow-zk', 'tomorrow-hbase', 'tomorrow-app']);
  await assert.rejects(world.cell('tomorrow'), 'nothing was made');
  const refused = (args: string[], input: string | undefined, sentence: RegExp): Promise<void> =>
    assert.rejects(cellctlOutput(args, env, input), (error: { stderr?: string }) => {
      assert.match(error.stderr ?? '', sentence);
      return true;
    });
  await refused(
    ['plan', '-f', '-'],
    manifest('planned', { zookeeper: { replicas: 2 } }),
    /must be 1, 3, 5 or 7/,
  );
  await refused(['plan', '-f', '-'], 'kind: Pod', /Standard input must hold one Cell/);
  await refused(['plan', 'nobody'], undefined, /There is no cell nobody in namespace default/);
  await refused(
    ['plan', 'other', '-f', '-'],
    manifest('planned', {}),
    /The file holds cell planned, not other/,
  );
});

test('a cell, a rollout and a platform are explained', async () => {
  const cell = await cellctlOutput(['explain', 'planned'], env);
  assert.match(cell, /^Cell planned \(Enabled\): Serving\n/);
  assert.match(cell, /CONDITION +IS +REASON +SINCE +MESSAGE\nReady +True +Serving/);
  await world.apply({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'to-3', namespace: 'default' },
    spec: { version: '3.0', paused: true, canary: { cells: ['planned'] } },
  });
  const paused = /^Rollout to-3 \(3\.0, 0\/2\): Paused: spec\.paused is true\.\n/;
  await until(async () => paused.test(await cellctlOutput(['explain', 'rollout/to-3'], env)), {
    timeoutMs: 60_000,
    what: 'the rollout to be looked at',
  });
  const rollout = await cellctlOutput(['explain', 'rollout/to-3'], env);
  assert.match(rollout, /STAGE +REACHED +STATE\ncanary +0\/1/);
  const platform = await runCellctl<{ kind: string; nextAction: string }>(
    ['explain', 'platform/cellpost'],
    env,
  );
  assert.equal(platform.kind, 'platform');
  assert.equal(platform.nextAction, 'Start discovery');
  await assert.rejects(cellctlOutput(['explain', 'pod/x'], env), /none of cell, rollout, platform/);
});
