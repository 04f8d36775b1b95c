// Faults as they happen to a simulated cell.
import { beginMove } from './begin-move.ts';
import type { SimCoordination } from './coordination-server.ts';
import { damage } from './damage.ts';
import { isDamage, type Fault } from './faults.ts';
import type { History } from './history.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import type { SimNode } from './node.ts';
import type { Random } from './random.ts';
import type { Disk } from './store.ts';
import type { World } from './world.ts';

export type FaultyCell = {
  world: World;
  random: Random;
  nodes: readonly SimNode[];
  network: Network;
  coordination: SimCoordination;
  disk: Disk;
  history: History;
  /** A mutation: see damage.ts. */
  sealsDamage: boolean;
};

/** Later than most of what comes after it. */
const JITTER_MS = 1_500;
const DOUBLES = 0.5;
const JUMP_MS = 5 * 3_600_000;
/** A message to a store that is this slow takes some seconds: it comes after its writer was replaced, and is answered. */
const VERY_SLOW = 3_000;

const nothing = () => {};

/** @returns what heals it */
export function beginFault(fault: Fault, cell: FaultyCell): () => void {
  const { kind, target } = fault;
  const { network, coordination, nodes } = cell;
  if (kind === 'coordination down') {
    coordination.setDown(true);
    return () => coordination.setDown(false);
  }
  if (kind === 'cut client' || kind === 'cut pair') return cut(...network.of(target));
  if (kind === 'move') return beginMove(target, cell);
  if (isDamage(kind)) {
    if (kind !== 'regenerate') {
      const random = cell.random.fork(`damage ${fault.atMs} ${target}`);
      cell.world.trace(`${target}: ${damage(cell.disk, target, kind, random, cell.sealsDamage)}`);
      return nothing;
    }
    const owner = nodes.find((node) => node.answersFor(target));
    // It may lose its session meanwhile, like anybody who asks something of it.
    owner?.regenerate(target).catch((error) => cell.world.trace(`not regenerated: ${error}`));
    return nothing;
  }
  const node = nodes.find(({ name }) => name === target);
  return node ? beginNodeFault(kind, node, network) : nothing;
}

function beginNodeFault(kind: Fault['kind'], node: SimNode, network: Network): () => void {
  const { process, coordinationLinks, storeLinks } = node;
  switch (kind) {
    case 'kill':
      node.kill();
      return () => node.start();
    case 'pause':
      process?.pause();
      return () => process?.resume();
    case 'leave':
      void node.leave().then(() => node.start());
      return () => node.start();
    case 'cut coordination':
      return cut(coordinationLinks.up, coordinationLinks.down);
    case 'cut coordination one way':
      return cut(coordinationLinks.down);
    case 'cut store':
      return cut(storeLinks.up, storeLinks.down);
    case 'cut clients':
      return cut(...network.of(node.name));
    case 'slow coordination':
      return slow(100, coordinationLinks.up, coordinationLinks.down);
    case 'slow store':
      return slow(VERY_SLOW, storeLinks.up);
    case 'slow store answers':
      return slow(VERY_SLOW, storeLinks.down);
    case 'lame': {
      const heals = [slow(VERY_SLOW, storeLinks.up), cut(coordinationLinks.up, coordinationLinks.down)];
      return () => heals.forEach((heal) => heal());
    }
    case 'reset':
      node.resetConnections();
      return nothing;
    case 'double requests':
      return change(network.of(node.name), 'doubles', DOUBLES);
    case 'reorder requests':
      return change(network.of(node.name), 'jitterMs', JITTER_MS);
    case 'clock forward':
      process?.jump(JUMP_MS);
      return () => process?.jump(-JUMP_MS);
    case 'clock back':
      process?.jump(-JUMP_MS);
      return () => process?.jump(JUMP_MS);
    default:
      throw new Error(`${kind} does not happen to a server`);
  }
}

function cut(...links: Link[]): () => void {
  for (const link of links) link.cut = true;
  return () => {
    for (const link of links) link.cut = false;
  };
}

function slow(factor: number, ...links: Link[]): () => void {
  for (const link of links) link.slow = factor;
  return () => {
    for (const link of links) link.slow = 1;
  };
}

function change(links: readonly Link[], name: 'doubles' | 'jitterMs', value: number): () => void {
  const before = links.map((link) => link[name]);
  for (const link of links) link[name] = value;
  return () => links.forEach((link, index) => (link[name] = before[index] ?? 0));
}
