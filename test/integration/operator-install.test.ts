import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { CHART, helm } from '../support/helm.ts';
import { freePort } from '../support/free-port.ts';
import { operatorSettings, waitForCrds } from '../support/operator-set-up.ts';
import { until } from '../support/wait.ts';

// What people do with the chart, on a real API server without nodes: install, upgrade, uninstall; and two operators as
// processes of their own, of which one is killed.
const DEADLINE_MS = 60_000;
/** So long a cell may be without an operator when the one that leads dies. */
const TAKEOVER_MS = 20_000;
const MAIN = fileURLToPath(new URL('../../cli/cellpost.ts', import.meta.url));
const SAMPLES = ['samples', 'samples-hdfs', 'samples-rollout'];

let server: ApiServer;

before(async () => {
  server = await startApiServer({ controllers: true });
  await server.kubectl(['create', 'namespace', 'cellpost']);
});

after(() => server?.close());

const chart = (...args: string[]): Promise<string> =>
  helm(...args, '--namespace', 'cellpost', '--kubeconfig', server.kubeconfig);

const names = async (kinds: string): Promise<string[]> =>
  (await server.kubectl(['get', kinds, '-n', 'cellpost', '-o', 'name', '--ignore-not-found']))
    .trim()
    .split('\n')
    .filter((name) => name !== '');

test('helm installs the chart with its resources, and all samples apply as they are', async () => {
  await chart('install', 'cellpost', CHART);
  await waitForCrds(server);
  for (const folder of SAMPLES) {
    const told = await server.kubectl(['apply', '-f', `${CHART}/${folder}`]);
    assert.match(told, /created/);
    assert.doesNotMatch(told, /Warning/);
  }
  assert.deepEqual(await names('cells'), [
    'cell.cellpost.dev/a',
    'cell.cellpost.dev/b',
    'cell.cellpost.dev/c',
  ]);
});

test('one of two operators is killed, and the other goes on in time', async (t) => {
  const operators: Operator[] = [];
  t.after(() => Promise.all(operators.map((operator) => operator.end())));
  operators.push(await startOperator('first'));
  await until(() => operators[0]?.leads(), { timeoutMs: DEADLINE_MS, what: 'the first to lead' });
  operators.push(await startOperator('second'));
  const exists = async (name: string): Promise<boolean> => (await names('statefulsets')).includes(name);
  await until(() => exists('statefulset.apps/cellpost-zk'), {
    timeoutMs: DEADLINE_MS,
    what: 'ZooKeeper of the platform',
  });
  await operators[0]?.end();
  await server.kubectl(['delete', 'statefulset', 'cellpost-zk', '-n', 'cellpost']);
  await until(() => operators[1]?.leads(), { timeoutMs: TAKEOVER_MS, what: 'the second to lead' });
  await until(() => exists('statefulset.apps/cellpost-zk'), {
    timeoutMs: DEADLINE_MS,
    what: 'what was deleted',
  });
});

test('an upgrade of the chart keeps cells and what they are made of; so does its removal', async () => {
  const kinds = 'cells,platforms,rollouts,statefulsets,services,configmaps,secrets';
  const made = async (): Promise<string[]> =>
    (await names(kinds)).filter((name) => !/helm|operator|kube-root-ca/.test(name));
  const before = await made();
  assert.ok(before.length > 6, before.join(' '));
  await chart('upgrade', 'cellpost', CHART, '--set', 'operator.replicas=3');
  const replicas = [
    'get',
    'deployment',
    'cellpost-operator',
    '-n',
    'cellpost',
    '-o',
    'jsonpath={.spec.replicas}',
  ];
  assert.equal(await server.kubectl(replicas), '3');
  assert.deepEqual(await made(), before);

  await chart('uninstall', 'cellpost', '--wait');
  assert.deepEqual(await made(), before);
  assert.equal((await server.kubectl(['get', 'crd', '-o', 'name'])).trim().split('\n').length, 3);
  const rights = await server.kubectl(['get', 'clusterroles,clusterrolebindings', '-o', 'name']);
  assert.doesNotMatch(rights, /cellpost/);
  assert.deepEqual(await names('deployments,serviceaccounts'), ['serviceaccount/default']);

  await chart('install', 'cellpost', CHART);
  assert.deepEqual(await made(), before);
});

type Operator = { leads(): Promise<boolean>; end(): Promise<void> };

/** An operator as a process of its own, with all rights. */
async function startOperator(identity: string): Promise<Operator> {
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'operator'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      ...operatorSettings(server.kubeconfig, identity),
      CELLPOST_HTTP_PORT: String(port),
    },
  });
  return {
    async leads() {
      const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (response) => response.text(),
        () => '',
      );
      return /^cellpost_operator_leading 1$/m.test(text);
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
