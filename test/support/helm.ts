// The chart as helm renders it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { helmBinary } from '../cluster/binaries.ts';

const run = promisify(execFile);

export const CHART = 'charts/cellpost';
/** The oldest and the newest Kubernetes that the chart is rendered for need not be there for that. */
const KUBERNETES = '1.34.0';

export type Rendered = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
} & Record<string, unknown>;

/** @throws with helm's own message */
export async function helm(...args: string[]): Promise<string> {
  const { stdout } = await run(await helmBinary(), args, { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

/** The objects that `helm install` would make. */
export async function renderChart(...args: string[]): Promise<Rendered[]> {
  const text = await helm(
    'template',
    'cellpost',
    CHART,
    '-n',
    'cellpost',
    '--kube-version',
    KUBERNETES,
    ...args,
  );
  return parseAllDocuments(text).flatMap((document) => {
    const object = document.toJS() as Rendered | null;
    return object ? [object] : [];
  });
}
