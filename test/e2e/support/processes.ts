// kill -9 of what runs in pods, and operators that die in the middle of a roll.
import assert from 'node:assert/strict';
import { findCluster } from '../../cluster/cluster.ts';
import { until } from '../../support/wait.ts';
import { follow, type CellTools } from './cell.ts';
import type { Load } from './load.ts';

const OPERATOR_DEADLINE_MS = 120_000;

/** kill -9 of a container's process. @throws when the cluster is not a private one, whose processes are out of reach */
export async function kill({ kubectl }: CellTools, pod: string, container: string): Promise<void> {
  const path = `jsonpath={.status.containerStatuses[?(@.name=="${container}")].containerID}`;
  const id = (await kubectl('get', 'pod', pod, '-o', path)).replace(/^containerd:\/\//, '');
  assert.ok(id, `${container} of ${pod}`);
  const cluster = await findCluster();
  assert.equal(cluster?.kind, 'private');
  await cluster.inside(['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', id]);
}

export async function restartsOf({ kubectl }: CellTools, pod: string, container: string): Promise<number> {
  const path = `jsonpath={.status.containerStatuses[?(@.name=="${container}")].restartCount}`;
  return Number(await kubectl('get', 'pod', pod, '-o', path));
}

/** A pod of a component; '' while there is none. */
export async function podOf({ kubectl }: CellTools, component: string): Promise<string> {
  const selector = `app.kubernetes.io/component=${component}`;
  const names = await kubectl('get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}');
  return names.split(' ')[0] ?? '';
}

/**
 * Waits until a roll has ended; at each pod whose turn it is the operator dies.
 * @param load is told which pod is away
 * @returns the pods at which it died
 */
export async function rollThroughDeaths(tools: CellTools, load: Load, timeoutMs: number): Promise<string[]> {
  const deaths: string[] = [];
  await until(
    async () => {
      const cell = await tools.getCell();
      follow(cell, load);
      const { status, metadata } = cell;
      const current = status?.roll?.current;
      if (current && deaths.at(-1) !== current) {
        deaths.push(current);
        const operator = await podOf(tools, 'operator');
        // Another pod comes at once; a container that dies often is started again ever more seldom.
        await tools.kubectl('delete', 'pod', operator, '--grace-period=0', '--force');
        await until(async () => !['', operator].includes(await podOf(tools, 'operator')), {
          timeoutMs: OPERATOR_DEADLINE_MS,
          what: 'another operator',
        });
      }
      const seen = status?.observedGeneration === metadata.generation;
      return seen && status?.phase === 'Serving' && !status.roll;
    },
    { timeoutMs, what: 'the roll to end' },
  );
  return deaths;
}
