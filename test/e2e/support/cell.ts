// One cell of the cluster as tests look at it and change it.
import type { Cell } from '../../../operator/types.ts';
import type { PodObject } from '../../../operator/world.ts';
import { until } from '../../support/wait.ts';
import type { TestCluster } from './cluster.ts';
import type { Load } from './load.ts';
import { NAMESPACE } from './mail.ts';

const LOOK_MS = 500;
const PLIGHT_LINES = 30;

/** Of a role that asks for so much. Another figure makes its pods anew and changes nothing else. */
export const cpu = (milli: number): unknown => ({ resources: { requests: { cpu: `${milli}m` } } });

/** The pod that the operator waits for or is about to take; undefined: nothing goes on. */
function podInQuestion({ metadata, status }: Cell): string | undefined {
  // Once a pod is deleted the roll's current one is the next; what blocks it names the one that is away.
  const pod = new RegExp(`\\b${metadata.name}-[a-z]+-\\d+\\b`).exec(status?.blockedBy ?? '')?.[0];
  return pod ?? status?.roll?.current;
}

/** Tells a load what goes on in the cell. */
export const follow = (cell: Cell, load: Load | undefined): void =>
  load?.enter(podInQuestion(cell) ?? 'nothing');

type Kubectl = (...args: string[]) => Promise<string>;

/** The state of a cell and of its pods that are not ready, with the last lines of their containers. */
async function plight(kubectl: Kubectl, name: string): Promise<string> {
  const { status } = JSON.parse(await kubectl('get', 'cell', name, '-o', 'json')) as Cell;
  const told = [`The cell says: ${JSON.stringify(status)}`];
  const pods = await kubectl('get', 'pods', '-l', `cellpost.dev/cell=${name}`, '-o', 'json');
  for (const { metadata, status: seen } of (JSON.parse(pods) as { items: PodObject[] }).items) {
    if (seen?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')) continue;
    told.push(`Pod ${metadata.name}: ${JSON.stringify(seen)}`);
    const log = ['logs', metadata.name, '--all-containers', '--prefix', `--tail=${PLIGHT_LINES}`];
    told.push(await kubectl(...log).catch(String));
  }
  return told.join('\n');
}

type Status = NonNullable<Cell['status']>;

/** Nothing of the cell is in trouble. */
const serves = ({ phase }: Status): boolean => phase === 'Serving';
/** The operator has nothing left to do, whatever trouble it tells of. */
export const isAtRest = ({ nextAction }: Status): boolean => nextAction === '';

/**
 * @param cluster is asked when it is needed: it is there once the tests run
 * @param timeoutMs in which a change of the cell has to end
 * @param isSettled what `settled` waits for
 */
export function cellTools(
  cluster: () => TestCluster,
  name: string,
  timeoutMs: number,
  isSettled: (status: Status) => boolean = serves,
) {
  const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(['-n', NAMESPACE, ...args]);
  const getCell = async (): Promise<Cell> =>
    JSON.parse(await kubectl('get', 'cell', name, '-o', 'json')) as Cell;
  return {
    kubectl,
    getCell,
    patch: (spec: unknown): Promise<string> =>
      kubectl('patch', 'cell', name, '--type=merge', '-p', JSON.stringify({ spec })),
    uidOf: (pod: string): Promise<string> =>
      kubectl('get', 'pod', pod, '--ignore-not-found', '-o', 'jsonpath={.metadata.uid}'),
    async isReady(pod: string): Promise<boolean> {
      const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
      return (await kubectl('get', 'pod', pod, '--ignore-not-found', '-o', path)) === 'True';
    },
    /** Pod → a field of it, such as `.spec.nodeName`. */
    async podsBy(field: string): Promise<Map<string, string>> {
      const path = `jsonpath={range .items[*]}{.metadata.name} {${field}}{"\\n"}{end}`;
      const text = await kubectl('get', 'pods', '-l', `cellpost.dev/cell=${name}`, '-o', path);
      return new Map(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(' ') as [string, string]),
      );
    },
    /**
     * Waits until the cell is as its newest spec says, and nothing of it is rolled.
     * @param load is told which pod is away
     */
    settled: (what: string, load?: Load): Promise<Cell> =>
      until(
        async () => {
          const cell = await getCell();
          follow(cell, load);
          const { status, metadata } = cell;
          const seen = status?.observedGeneration === metadata.generation;
          return seen && status && isSettled(status) && !status.roll && cell;
        },
        { timeoutMs, what, intervalMs: LOOK_MS, explain: () => plight(kubectl, name) },
      ),
  };
}

export type CellTools = ReturnType<typeof cellTools>;
