// More nodes of the private cluster, on the same machine: they can lose their power and be cut off from the others.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { image } from '../../images/archive.ts';
import { programLayer } from '../../images/base.ts';
import { buildImages } from '../../images/build.ts';
import { command } from '../../images/command.ts';
import { say } from '../../images/progress.ts';
import { corednsBinary, kubeBinary, pauseBinary } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { MORE_NODES, addressOf, podNetworkOf, type MoreNode } from './node/addresses.ts';
import { nodeFolder, paths } from './node/paths.ts';
import { killMore, runningProcesses, startMore } from './node/processes.ts';
import { writeSettings } from './node/settings.ts';
import { untilNodeReady } from './private-cluster.ts';

const LOAD_TIMEOUT_MS = 300_000;

export type AddedNode = {
  name: MoreNode;
  /** Nothing goes to it or comes from it; what runs on it goes on. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** A power cut: all of it ends at once. */
  crash(): Promise<void>;
  /** After a crash: with its disk. Resolves when it is ready again. */
  boot(): Promise<void>;
};

/** @returns the node when it is ready and has the images; @throws unless the cluster is a private one */
export async function addNode(cluster: Cluster, name: MoreNode): Promise<AddedNode> {
  if (cluster.kind !== 'private') throw new Error('Nodes can be added to a private cluster only.');
  const at = paths();
  const first = (await runningProcesses(at))?.init;
  if (first === undefined) throw new Error('The cluster does not run.');
  const number = MORE_NODES[name];
  const port = `to-${name}`;
  const inFirst = (...args: string[]): Promise<string> =>
    command('nsenter', ['-t', String(first), '--net', 'ip', ...args]);
  const boot = async (): Promise<number> => {
    const since = new Date();
    const address = addressOf(number);
    const [kube, coredns] = [await kubeBinary(), await corednsBinary()];
    const { init } = await startMore(at, { name, address, kube, coredns });
    // The other end lies in the new node's network; it goes, and this one with it, when the node ends.
    await inFirst('link', 'add', port, 'type', 'veth', 'peer', 'name', 'node0', 'netns', String(init));
    await inFirst('link', 'set', port, 'master', 'node0', 'up');
    await inFirst('route', 'replace', podNetworkOf(number), 'via', address);
    await untilNodeReady(cluster, name, since);
    return init;
  };
  const folder = nodeFolder(at, name);
  await mkdir(join(folder, 'log'), { recursive: true });
  const pause = await image({ name: 'pause', entrypoint: ['/pause'] }, [
    await programLayer('pause', await pauseBinary(), '.'),
  ]);
  await writeSettings(at, folder, { name, number }, pause.reference);
  const init = await boot();
  for (const { tar } of Object.values(await buildImages())) {
    const load = ['ctr', '-n', 'k8s.io', 'images', 'import', tar];
    await command('nsenter', ['-t', String(init), '--net', '--mount', '--pid', '--', ...load], {
      timeoutMs: LOAD_TIMEOUT_MS,
    });
  }
  say(`${name} is ready`);
  return {
    name,
    cut: async () => void (await inFirst('link', 'set', port, 'down')),
    heal: async () => void (await inFirst('link', 'set', port, 'up')),
    crash: () => killMore(at, name),
    boot: async () => void (await boot()),
  };
}
