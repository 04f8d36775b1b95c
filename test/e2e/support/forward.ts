// A Service's port on 127.0.0.1, through the API server: works with every cluster.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cluster } from '../../cluster/cluster.ts';
import { NAMESPACE } from '../../cluster/install.ts';
import { until } from '../../support/wait.ts';

const START_TIMEOUT_MS = 60_000;

export type Forward = { port: number; close(): Promise<void> };

/** @param target such as `service/cellpost-web` */
export async function forward(cluster: Cluster, target: string, port: number): Promise<Forward> {
  const [program = '', ...first] = cluster.kubectlCommand;
  const args = [...first, '-n', NAMESPACE, 'port-forward', '--address=127.0.0.1', target, `:${port}`];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  try {
    const local = await until(
      () => {
        if (child.exitCode !== null) throw new Error(`kubectl port-forward ended: ${output}`);
        return /127\.0\.0\.1:(\d+) ->/.exec(output)?.[1];
      },
      { timeoutMs: START_TIMEOUT_MS, what: `a way to ${target}` },
    );
    return { port: Number(local), close };
  } catch (error) {
    await close();
    throw error;
  }
}
