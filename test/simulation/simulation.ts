// One run of a cell: some app servers, clients, and a script of faults; then everything is healed and must work again.
import { MemoryLogs } from '../../workloads/app-server/log/memory-store.ts';
import { SimClient } from './client.ts';
import { SimCoordination } from './coordination-server.ts';
import { formatScript, makeScript, type Fault, type FaultKind } from './faults.ts';
import { History } from './history.ts';
import type { Mutation } from './mutations.ts';
import { SimNode, type Parts } from './node.ts';
import { Random } from './random.ts';
import type { Disk } from './store.ts';
import { World } from './world.ts';

/** A run has at least so many events while faults happen. */
const STEPS = 10_000;
/** ... and is at least so long: some tens of lost sessions. */
const FAULTS_MS = 60_000;

/**
 * How long a healed system may take until every key is served: a lost session (2 s), the deadline of a store's call that
 * nobody answers (10 s) and of its settlement (up to 20 s with its calls), and the same once more for its successor.
 */
const RECOVERY_MS = 60_000;

const CLIENTS = 6;
const KEYS = Array.from({ length: 10 }, (_, index) => `user:u${index}`);

export type RunOptions = {
  seed: number;
  mutation?: Mutation | undefined;
  /** Faults of these kinds only. */
  kinds?: readonly FaultKind[] | undefined;
  /** In place of the one made from the seed. */
  script?: Fault[] | undefined;
  /** Also check that no two servers would answer for a key at the same moment. Off when harm is to be seen instead. */
  exclusive?: boolean | undefined;
};

export type RunResult = {
  seed: number;
  violation: Error | undefined;
  script: Fault[];
  lines: string[];
  hash: string;
  steps: number;
  virtualMs: number;
  reads: number;
  acknowledged: number;
  duplicates: number;
  fences: number;
  shared: number;
  errors: Record<string, number>;
};

export async function simulate({
  seed,
  mutation,
  kinds,
  script,
  exclusive = true,
}: RunOptions): Promise<RunResult> {
  const world = new World();
  const random = new Random(String(seed));
  const history = new History(world);
  const coordination = new SimCoordination(world);
  const disk: Disk = {
    logs: new MemoryLogs(),
    written: (key, seq, entry) => history.written(key, seq, entry),
    overwrites: mutation === 'no compare',
    faultRate: random.pick([0, 0.01, 0.05, 0.15]),
  };
  const parts: Parts = { world, random, coordination, disk, history, mutation };
  const names = Array.from({ length: random.integer(3, 5) }, (_, index) => `n${index}`);
  const nodes = names.map((name) => new SimNode(name, parts));
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) => new SimClient({ world, random, name: `c${index}`, keys: KEYS, nodes }),
  );
  const faults = script ?? makeScript(random.fork('faults'), names, 10 * FAULTS_MS, kinds);
  const undo = new Set<() => void>();
  let healing = false;
  for (const node of nodes) {
    world.after(random.chance(0.5) ? 0 : random.between(0, 8_000), `${node.name} starts`, () => node.start());
  }
  for (const fault of faults) {
    world.after(fault.atMs, 'fault', () => {
      const node = nodes.find((one) => one.name === fault.node);
      if (healing || !node) return;
      world.trace(`fault: ${formatScript([fault])}`);
      const heal = begin(fault, node, coordination);
      undo.add(heal);
      world.after(fault.forMs, `healed: ${fault.kind} ${fault.node}`, () => {
        if (undo.delete(heal)) heal();
      });
    });
  }
  for (const client of clients) client.start();
  const checkExclusive = () => {
    if (!exclusive || world.steps % 5 !== 0) return;
    for (const key of KEYS) {
      const owners = nodes.filter((node) => node.answersFor(key));
      if (owners.length > 1)
        world.fail(`${owners.map((node) => node.name).join(' and ')} both answer for ${key}`);
    }
  };
  await world.run(() => {
    checkExclusive();
    return world.steps >= STEPS && world.now >= FAULTS_MS;
  });

  world.trace('no more faults');
  healing = true;
  disk.faultRate = 0;
  for (const client of clients) client.stop();
  for (const heal of undo) heal();
  undo.clear();
  for (const node of nodes) node.start();
  await expectService(world, nodes, clients);
  if (!world.violation) await expectLeave(world, nodes);
  if (!world.violation) history.checkDisk(disk.logs.entries);
  return {
    seed,
    violation: world.violation,
    script: faults.filter((fault) => fault.atMs <= world.now),
    lines: world.lines,
    hash: world.hash,
    steps: world.steps,
    virtualMs: world.now,
    reads: history.reads,
    acknowledged: history.acknowledged,
    duplicates: history.duplicates,
    fences: history.fences,
    shared: history.shared,
    errors: sumErrors(clients),
  };
}

/** @returns what heals it */
function begin({ kind }: Fault, node: SimNode, coordination: SimCoordination): () => void {
  const cut = (...links: { cut: boolean }[]) => {
    for (const link of links) link.cut = true;
    return () => {
      for (const link of links) link.cut = false;
    };
  };
  const slow = (factor: number, ...links: { slow: number }[]) => {
    for (const link of links) link.slow = factor;
    return () => {
      for (const link of links) link.slow = 1;
    };
  };
  switch (kind) {
    case 'kill':
      node.kill();
      return () => node.start();
    case 'pause': {
      const { process } = node;
      process?.pause();
      return () => process?.resume();
    }
    case 'leave':
      void node.leave().then(() => node.start());
      return () => node.start();
    case 'cut coordination':
      return cut(node.coordinationLinks.up, node.coordinationLinks.down);
    case 'cut coordination one way':
      return cut(node.coordinationLinks.down);
    case 'cut store':
      return cut(node.storeLinks.up, node.storeLinks.down);
    case 'cut clients':
      return cut(node.clientLinks.up, node.clientLinks.down);
    case 'slow coordination':
      return slow(100, node.coordinationLinks.up, node.coordinationLinks.down);
    case 'slow store':
      // Writes come to the store after their writer was replaced, and are answered.
      return slow(3_000, node.storeLinks.up);
    case 'lame': {
      const undo = [
        slow(3_000, node.storeLinks.up),
        cut(node.coordinationLinks.up, node.coordinationLinks.down),
      ];
      return () => undo.forEach((heal) => heal());
    }
    case 'reset':
      node.resetConnections();
      return () => {};
    case 'coordination down':
      coordination.setDown(true);
      return () => coordination.setDown(false);
  }
}

/** Liveness: all nodes serve, and each key can be written and read. */
async function expectService(world: World, nodes: SimNode[], clients: SimClient[]): Promise<void> {
  const deadline = world.now + RECOVERY_MS;
  let left = KEYS.length;
  for (const [index, key] of KEYS.entries()) {
    const client = clients[index % clients.length];
    client?.send({ kind: 'deliver', key, deliveryKey: `last-${index}` }, () =>
      client.send({ kind: 'read', key, slowMs: 0 }, () => left--),
    );
  }
  await world.run(() => (left === 0 && nodes.every((node) => node.isReady)) || world.now > deadline);
  if (world.violation) return;
  if (left > 0) world.fail(`${left} keys are not served ${RECOVERY_MS} ms after the last fault`);
  const lame = nodes.filter((node) => !node.isReady).map((node) => node.name);
  if (lame.length > 0) world.fail(`${lame.join(', ')} not serving ${RECOVERY_MS} ms after the last fault`);
}

async function expectLeave(world: World, nodes: SimNode[]): Promise<void> {
  const deadline = world.now + RECOVERY_MS;
  for (const node of nodes) void node.leave();
  await world.run(() => nodes.every((node) => !node.isUp) || world.now > deadline);
  if (nodes.some((node) => node.isUp)) world.fail('a node does not leave');
}

function sumErrors(clients: SimClient[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const client of clients) {
    for (const [name, count] of client.errors) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
