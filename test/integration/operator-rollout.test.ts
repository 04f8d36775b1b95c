import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { AnswersOfServer } from '../../operator/cell/roll/facts.ts';
import { discoveryAdmin } from '../../operator/outside/discovery.ts';
import { start, type RunningOperator } from '../../operator/main.ts';
import type { Rollout } from '../../operator/rollout/types.ts';
import type { Cell } from '../../operator/types.ts';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { answering } from '../support/operator-harness.ts';
import { installForOperator, operatorSettings } from '../support/operator-set-up.ts';
import { until } from '../support/wait.ts';

// The API server is real. Cells and platforms carry the annotation that keeps the operator's hands off them, so the test
// says in their status how they fare; what their own reconciles do is tested elsewhere.
const DEADLINE_MS = 60_000;
const CELLS = ['a', 'b', 'c', 'd'];
const OLD_HBASE = 'localhost/hbase:1.0';
const NEW_HBASE = 'localhost/hbase:2.0';

let server: ApiServer;
let kubeconfig: string;
let operator: RunningOperator;
/** What every app server that there is tells of its answers. */
let answers: AnswersOfServer | undefined;

const startOperator = (): Promise<RunningOperator> =>
  start(operatorSettings(kubeconfig, 'test'), {
    discovery: discoveryAdmin,
    ensureSchema: async () => undefined,
    appServer: async () => answers,
  });

before(async () => {
  server = await startApiServer();
  kubeconfig = await installForOperator(server);
});

after(async () => {
  await server?.close();
});

beforeEach(async () => {
  const meta = { namespace: 'default', annotations: { 'cellpost.dev/unmanaged': 'true' } };
  const at = { apiVersion: 'cellpost.dev/v1alpha1' };
  const s3 = { endpoint: 'http://s3:7070', bucket: 'blobs', secretRef: { name: 's3' } };
  await server.apply(
    { ...at, kind: 'Platform', metadata: { ...meta, name: 'cellpost' }, spec: { blobStore: { s3 } } },
    // Cell a names no version, as most cells do before the first rollout.
    ...CELLS.map((name) => ({
      ...at,
      kind: 'Cell',
      metadata: { ...meta, name, labels: { tier: name === 'a' ? 'trial' : 'live' } },
      spec: { dataCenter: name === 'd' ? 'west' : 'east', ...(name !== 'a' && { version: '1.0' }) },
    })),
    {
      ...at,
      kind: 'Cell',
      metadata: { ...meta, name: 'foreign' },
      spec: { version: '1.0', platform: { name: 'other' } },
    },
  );
  for (const cell of CELLS) await tell('cell', cell, '1.0');
  await tell('platform', 'cellpost', '1.0');
  operator = await startOperator();
});

afterEach(async () => {
  await operator.close();
  await server.kubectl(['delete', 'rollouts,cells,platforms,pods', '--all', '--now']);
});

const applyRollout = (name: string, spec: Record<string, unknown>): Promise<string> =>
  applyGiving(name, { version: '2.0', ...spec });

const applyGiving = (name: string, spec: Record<string, unknown>): Promise<string> =>
  server.apply({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Rollout',
    metadata: { name, namespace: 'default' },
    spec: { bakeSeconds: 0, ...spec },
  });

const patch = (kind: string, name: string, change: unknown, ...more: string[]): Promise<string> =>
  server.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify(change), ...more]);

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await server.kubectl([...args, '-o', 'json'])) as T;
}

const getCell = (name: string): Promise<Cell> => json<Cell>('get', 'cell', name);
const getRollout = (name: string): Promise<Rollout> => json<Rollout>('get', 'rollout', name);

/** Says what a cell's own reconcile would: it runs this version, and the image of HBase that it is asked for; or is degraded. */
async function tell(kind: string, name: string, version: string, degraded?: string): Promise<void> {
  const { metadata, spec } = await json<Cell>('get', kind, name);
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = (type: string, status: boolean, reason: string, message: string): unknown => ({
    type,
    status: status ? 'True' : 'False',
    reason,
    message,
    lastTransitionTime,
  });
  const status = {
    observedGeneration: metadata.generation,
    version,
    ...(degraded !== undefined && { rolledBack: { image: 'localhost/cellpost:2.0', message: degraded } }),
    ...(kind === 'cell' && { hbaseImage: { default: OLD_HBASE, good: spec.images?.hbase ?? OLD_HBASE } }),
    ...(kind === 'platform' && { images: { hbase: spec.images?.hbase ?? OLD_HBASE } }),
    conditions: [
      condition('Ready', !degraded, degraded ? 'NotServing' : 'Serving', ''),
      condition('Progressing', false, 'Settled', ''),
      condition('Degraded', degraded !== undefined, degraded ? 'RolledBack' : 'AsExpected', degraded ?? ''),
    ],
  };
  await patch(kind, name, { status }, '--subresource=status');
}

const waitFor = <T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> =>
  until(ask, { timeoutMs: DEADLINE_MS, what });

const versions = async (): Promise<Record<string, string | undefined>> => {
  const { items } = await json<{ items: Cell[] }>('get', 'cells');
  return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.version]));
};

/** The version is in the spec of a member. */
const pushed = (name: string, version: string | undefined): Promise<boolean> =>
  waitFor(`${name} to be asked for ${version}`, async () => (await getCell(name)).spec.version === version);

async function passCell(name: string, version = '2.0'): Promise<void> {
  await pushed(name, version);
  await tell('cell', name, version);
}

async function passPlatform(version: string | undefined, runs = version ?? '1.0'): Promise<void> {
  await waitFor(`the platform to be asked for ${version}`, async () => {
    const { spec } = await json<{ spec: { version?: string } }>('get', 'platform', 'cellpost');
    return spec.version === version;
  });
  await tell('platform', 'cellpost', runs);
}

const ended = (name: string, outcome: string): Promise<Rollout> =>
  waitFor(`rollout ${name} to end as ${outcome}`, async () => {
    const rollout = await getRollout(name);
    return rollout.status?.outcome === outcome && rollout;
  });

test('a version goes through canary, services, waves and the rest, and one resource tells it all', async () => {
  await applyRollout('up', {
    canary: { selector: { matchLabels: { tier: 'trial' } } },
    waves: [{ percent: 100, dataCenters: ['west'] }, { percent: 75 }],
  });
  await pushed('a', '2.0');
  const waiting = await waitFor('a sentence', async () => {
    const rollout = await getRollout('up');
    return rollout.status?.blockedBy === 'cell a must run 2.0 without trouble.' && rollout;
  });
  assert.equal(waiting.status?.phase, 'canary: Complete canary: cell a must run 2.0 without trouble.');
  assert.deepEqual(waiting.status?.underWay, [{ name: 'cell a', state: 'rolling', previousVersion: '' }]);
  assert.deepEqual(await versions(), { a: '2.0', b: '1.0', c: '1.0', d: '1.0', foreign: '1.0' });
  await tell('cell', 'a', '2.0');
  await passPlatform('2.0');
  await passCell('d');
  await pushed('b', '2.0');
  assert.equal((await getCell('c')).spec.version, '1.0');
  await tell('cell', 'b', '2.0');
  // Another operator goes on where this one was.
  await operator.close();
  operator = await startOperator();
  await passCell('c');
  const done = await ended('up', 'Complete');
  assert.equal(done.status?.phase, 'Complete: all 5 run 2.0.');
  assert.deepEqual(
    done.status?.stages?.map(({ name, members, reached, bakedAt }) => [name, members, reached, !!bakedAt]),
    [
      ['canary', 1, 1, true],
      ['platform', 1, 1, true],
      ['wave-1', 1, 1, true],
      ['wave-2', 1, 1, true],
      ['rest', 1, 1, true],
    ],
  );
  assert.equal((await getCell('foreign')).spec.version, '1.0', 'cells of another platform are not touched');
  const table = await server.kubectl(['get', 'rollouts']);
  assert.match(table, /NAME +VERSION +STAGE +REACHED +OUTCOME +AGE +PHASE/);
  assert.match(table, /up +2\.0 +5\/5 +Complete +\S+ +Complete: all 5 run 2\.0\./);
  const managers = await server.kubectl([
    'get',
    'cell',
    'b',
    '--show-managed-fields',
    '-o',
    'jsonpath={.metadata.managedFields[?(@.manager=="cellpost-rollout")].fieldsV1}',
  ]);
  assert.match(managers, /"f:version"/);
  assert.doesNotMatch(managers, /f:dataCenter/);
  await waitFor('an event', async () => (await server.kubectl(['get', 'events'])).includes('Complete'));
});

test('a cell that gives the version up takes everything back, in reverse order, whatever happens to the operator', async () => {
  await applyRollout('bad', { canary: { cells: ['a'] }, waves: [{ percent: 50 }] });
  await passCell('a');
  await passPlatform('2.0');
  await passCell('b');
  await pushed('c', '2.0');
  await operator.close();
  await tell('cell', 'c', '1.0', 'Pod c-app-0: container app-server is in CrashLoopBackOff.');
  operator = await startOperator();
  await pushed('c', '1.0');
  const failing = await waitFor('the reason', async () => {
    const rollout = await getRollout('bad');
    return rollout.status?.failure && rollout;
  });
  assert.match(failing.status?.phase ?? '', /^Rolling back rest: Cell c is degraded at 2\.0: Pod c-app-0/);
  assert.equal((await getCell('b')).spec.version, '2.0', 'one stage after the other');
  await tell('cell', 'c', '1.0');
  await passCell('b', '1.0');
  await operator.close();
  operator = await startOperator();
  await passPlatform(undefined);
  await pushed('a', undefined);
  await tell('cell', 'a', '1.0');
  const back = await ended('bad', 'RolledBack');
  assert.match(back.status?.phase ?? '', /^Rolled back: Cell c is degraded at 2\.0/);
  assert.deepEqual(await versions(), { a: undefined, b: '1.0', c: '1.0', d: '1.0', foreign: '1.0' });
  assert.deepEqual(
    back.status?.conditions?.filter(({ status }) => status === 'True').map(({ type }) => type),
    ['Degraded', 'RolledBack'],
  );
});

const imageOf = async (kind: string, name: string): Promise<string | undefined> =>
  (await json<Cell>('get', kind, name)).spec.images?.hbase;

async function passImage(kind: string, name: string, image: string | undefined, runs = '1.0'): Promise<void> {
  await waitFor(
    `${kind} ${name} to be asked for ${image}`,
    async () => (await imageOf(kind, name)) === image,
  );
  await tell(kind, name, runs);
}

test('an image of HBase goes the same way; the next rollout, of a version, keeps it', async () => {
  await applyGiving('hbase', { images: { hbase: NEW_HBASE }, canary: { cells: ['b'] } });
  await waitFor('cell b to be asked', async () => (await imageOf('cell', 'b')) === NEW_HBASE);
  const waiting = await waitFor('a sentence', async () => {
    const rollout = await getRollout('hbase');
    return rollout.status?.blockedBy === `cell b must run ${NEW_HBASE} without trouble.` && rollout;
  });
  assert.deepEqual(waiting.status?.underWay, [
    { name: 'cell b', state: 'rolling', previousVersion: '1.0', previousHbaseImage: '' },
  ]);
  assert.equal(await imageOf('cell', 'a'), undefined);
  await tell('cell', 'b', '1.0');
  await passImage('platform', 'cellpost', NEW_HBASE);
  for (const cell of ['a', 'c', 'd']) await passImage('cell', cell, NEW_HBASE);
  const done = await ended('hbase', 'Complete');
  assert.equal(done.status?.phase, `Complete: all 5 run ${NEW_HBASE}.`);
  assert.deepEqual(await versions(), { a: undefined, b: '1.0', c: '1.0', d: '1.0', foreign: '1.0' });

  await applyRollout('version', { canary: { cells: ['a'] } });
  await pushed('a', '2.0');
  assert.equal(await imageOf('cell', 'a'), NEW_HBASE, 'what the rollout before has set stays');
  await patch('rollout', 'version', { spec: { abort: true } });
  await ended('version', 'Aborted');
});

test('a bad image of HBase is taken back; what an earlier rollout of a version has set stays', async () => {
  await applyRollout('first', { canary: { cells: ['a'] } });
  await pushed('a', '2.0');
  await tell('cell', 'a', '2.0');
  await passPlatform('2.0');
  for (const cell of ['b', 'c', 'd']) await passCell(cell);
  await ended('first', 'Complete');
  await applyGiving('bad', { images: { hbase: NEW_HBASE }, canary: { cells: ['a'] } });
  await passImage('cell', 'a', NEW_HBASE, '2.0');
  await passImage('platform', 'cellpost', NEW_HBASE, '2.0');
  await waitFor('cell b to be asked', async () => (await imageOf('cell', 'b')) === NEW_HBASE);
  await tell('cell', 'b', '2.0', 'Pod b-zk-1: container zookeeper is in CrashLoopBackOff.');
  const rolledBack = { image: NEW_HBASE, message: 'It crashes.' };
  await patch('cell', 'b', { status: { hbaseImage: { rolledBack } } }, '--subresource=status');
  await passImage('cell', 'b', undefined, '2.0');
  await passImage('platform', 'cellpost', OLD_HBASE, '2.0');
  await passImage('cell', 'a', undefined, '2.0');
  const back = await ended('bad', 'RolledBack');
  assert.match(
    back.status?.phase ?? '',
    /^Rolled back: Cell b is degraded at localhost\/hbase:2\.0: Pod b-zk-1/,
  );
  assert.deepEqual(await versions(), { a: '2.0', b: '2.0', c: '2.0', d: '2.0', foreign: '1.0' });
  assert.equal(await imageOf('cell', 'c'), undefined, 'it was not reached');
});

test('a rollout is paused, goes on, and is aborted where it is; the next one waits for that', async () => {
  await applyRollout('first', { paused: true });
  await waitFor('the pause', async () => (await getRollout('first')).status?.phase?.startsWith('Paused: '));
  assert.equal((await getCell('a')).spec.version, undefined);
  await until(async () => (await getRollout('first')).metadata.creationTimestamp !== nowText(), {
    timeoutMs: DEADLINE_MS,
    what: 'the next second: the older one goes first',
  });
  await applyRollout('second', { version: '3.0' });
  const waits = await waitFor('the second to wait', async () => {
    const rollout = await getRollout('second');
    return rollout.status?.blockedBy !== undefined && rollout;
  });
  assert.equal(waits.status?.phase, 'Waits: Rollout first of the same platform must end first.');
  await patch('rollout', 'first', { spec: { paused: false } });
  await passPlatform('2.0');
  await pushed('a', '2.0');
  await patch('rollout', 'first', { spec: { paused: true } });
  await waitFor('the pause', async () => (await getRollout('first')).status?.phase?.startsWith('Paused: '));
  await tell('cell', 'a', '2.0');
  await waitFor(
    'what is under way to be seen',
    async () => (await getRollout('first')).status?.summary === '2/5',
  );
  assert.equal((await getCell('b')).spec.version, '1.0');
  await patch('rollout', 'first', { spec: { abort: true } });
  const aborted = await ended('first', 'Aborted');
  assert.equal(aborted.status?.phase, 'Aborted: 2 of 5 run 2.0.');
  await passPlatform('3.0');
  await pushed('a', '3.0');
  assert.equal((await getCell('b')).spec.version, '1.0');
});

const nowText = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

/** An app server that serves, as far as the API server knows. */
async function makeAppServer(cell: string): Promise<void> {
  const labels = {
    'app.kubernetes.io/managed-by': 'cellpost',
    'app.kubernetes.io/component': 'app-server',
    'cellpost.dev/cell': cell,
  };
  await server.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${cell}-app-0`, namespace: 'default', labels },
    spec: { containers: [{ name: 'app-server', image: 'localhost/none:1.0' }] },
  });
  const conditions = [{ type: 'Ready', status: 'True' }];
  const podIP = '10.1.0.1';
  const status = { phase: 'Running', conditions, podIP, podIPs: [{ ip: podIP }] };
  await patch('pod', `${cell}-app-0`, { status }, '--subresource=status');
}

test('bad answers of the canary’s app servers hold the rollout; it goes on when they are good', async () => {
  await makeAppServer('a');
  answers = answering(10);
  await applyRollout('careful', { canary: { cells: ['a'] } });
  await passCell('a');
  const held = await waitFor('the pause', async () => {
    const rollout = await getRollout('careful');
    return rollout.status?.phase?.startsWith('Paused: ') && rollout;
  });
  assert.match(held.status?.blockedBy ?? '', /^Cell a answers badly at 2\.0: .* requests to a-app-0 fail\.$/);
  const paused = held.status?.conditions?.find(({ type }) => type === 'Paused');
  assert.deepEqual([paused?.status, paused?.reason], ['True', 'Metrics']);
  assert.ok(held.status?.stages?.[0]?.shutSince);
  answers = answering(0);
  await passPlatform('2.0');
});

test('a canary that answers slowly for too long takes the version back', async () => {
  await makeAppServer('a');
  answers = answering(0, 5_000);
  await applyRollout('slow', { canary: { cells: ['a'] }, gates: { degradedSeconds: 1 } });
  await passCell('a');
  await waitFor('the reason', async () => (await getRollout('slow')).status?.failure);
  await pushed('a', undefined);
  await tell('cell', 'a', '1.0');
  const back = await ended('slow', 'RolledBack');
  assert.match(
    back.status?.phase ?? '',
    /^Rolled back: Cell a answers badly at 2\.0: 1 % of the calls of a-app-0 take/,
  );
});

test('while nothing changes, a rollout writes nothing', async () => {
  await applyRollout('still', {});
  await passPlatform('2.0');
  await pushed('a', '2.0');
  const sentence = 'At most 1 cells may be away at once; cell a is not back yet.';
  await waitFor('its sentence', async () => (await getRollout('still')).status?.blockedBy === sentence);
  const before = (await getRollout('still')).metadata.resourceVersion;
  const reconciles = (): Promise<number> =>
    metric('cellpost_operator_reconcile_duration_seconds_count', 'rollout');
  const start = await reconciles();
  for (const value of ['once', 'twice']) {
    await server.kubectl(['label', 'cell', 'b', `looked=${value}`, '--overwrite']);
    await waitFor('a look', async () => (await reconciles()) > start);
  }
  assert.equal((await getRollout('still')).metadata.resourceVersion, before);
});

async function metric(name: string, having: string): Promise<number> {
  const text = await (await fetch(`${operator.url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && line.includes(having))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test('a rollout for a platform that is not there waits for it', async () => {
  await applyRollout('early', { platform: { name: 'tomorrow' } });
  const waits = await waitFor('its sentence', async () => {
    const rollout = await getRollout('early');
    return rollout.status?.blockedBy !== undefined && rollout;
  });
  assert.equal(waits.status?.blockedBy, 'There must be a Platform tomorrow in namespace default.');
  assert.equal(waits.status?.outcome, undefined);
});

test('what makes no sense is refused with a sentence', async () => {
  const refused = (change: Promise<string>, sentence: RegExp): Promise<void> =>
    assert.rejects(change, (error: { stderr?: string }) => {
      assert.match(error.stderr ?? '', sentence);
      return true;
    });
  await refused(applyRollout('no', { version: 'a b' }), /spec\.version in body should match/);
  await refused(applyRollout('no', { waves: [{ percent: 101 }] }), /less than or equal to 100/);
  await refused(applyRollout('no', { maxUnavailableCells: 0 }), /greater than or equal to 1/);
  await refused(applyGiving('no', {}), /A rollout needs a version, images\.hbase, or both/);
  await applyRollout('fixed', { paused: true, abort: true });
  await refused(
    patch('rollout', 'fixed', { spec: { images: { hbase: 'x' } } }),
    /What a rollout pushes can't/,
  );
  await refused(patch('rollout', 'fixed', { spec: { version: '9' } }), /A rollout has one version/);
  await refused(patch('rollout', 'fixed', { spec: { abort: false } }), /An aborted rollout can't go on/);
});
