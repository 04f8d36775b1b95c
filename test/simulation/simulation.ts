// One run of a cell: some app servers, clients, and a script of faults; then everything is healed and must work again.
import { MemoryLogs } from '../../workloads/app-server/log/memory-store.ts';
import { beginFault, type FaultyCell } from './begin-fault.ts';
import { SimClient } from './client.ts';
import { SimCoordination } from './coordination-server.ts';
import { formatFault } from './faults.ts';
import { History } from './history.ts';
import { toyMailboxes } from './mailbox.ts';
import { Network } from './network.ts';
import { SimNode, type Parts } from './node.ts';
import { isLate, makePlan, namesOf, type Plan, type PlanOptions } from './plan.ts';
import { Random } from './random.ts';
import type { Disk } from './store.ts';
import { Told } from './told.ts';
import { realImages } from './real-images.ts';
import { World } from './world.ts';

/**
 * How long a healed system may take until every key is served: a lost session (2 s), the deadline of a store's call that
 * nobody answers (10 s) and of its settlement (up to 45 s with its calls), and the same once more for its successor.
 */
const RECOVERY_MS = 120_000;

const LEAVE_AGAIN_MS = 100;

/** When servers start that are there from the beginning, and those whose names nobody has heard before. */
const SOON_MS = [0, 8_000] as const;
const LATE_MS = [10_000, 45_000] as const;

export type RunResult = {
  /** With the faults that happened. */
  plan: Plan;
  violation: Error | undefined;
  lines: string[];
  hash: string;
  steps: number;
  virtualMs: number;
  reads: number;
  /** Answers and events of APIs that were looked at. */
  told: number;
  acknowledged: number;
  duplicates: number;
  fences: number;
  shared: number;
  errors: Record<string, number>;
};

/** A run whose plan is drawn from a seed. */
export function simulate(options: PlanOptions): Promise<RunResult> {
  return runPlan(makePlan(options));
}

export async function runPlan(plan: Plan): Promise<RunResult> {
  const { seed, mutation } = plan;
  const world = new World();
  const random = new Random(String(seed));
  const names = namesOf(plan);
  const model = plan.real ? realImages : toyMailboxes;
  const history = new History(world, model);
  const coordination = new SimCoordination(world);
  const disk: Disk = {
    logs: new MemoryLogs(),
    replaced: new Map(),
    written: (key, seq, entry) => history.written(key, seq, entry),
    faultRate: plan.storeFaults,
  };
  const nodes: SimNode[] = [];
  const told = new Told(world, history);
  const parts: Parts = { world, random, coordination, disk, history, told, model, mutation, nodes };
  const network = new Network(world, random, names.clients, names.servers, plan.doubles);
  nodes.push(...names.servers.map((name) => new SimNode(name, parts)));
  const clients = names.clients.map(
    (name) => new SimClient({ world, random, name, keys: names.keys, nodes, network, asks: plan.real }),
  );
  for (const node of nodes) {
    const ownRandom = random.fork(`start of ${node.name}`);
    const [earliest, latest] = isLate(node.name) ? LATE_MS : SOON_MS;
    const atMs = !isLate(node.name) && ownRandom.chance(0.5) ? 0 : ownRandom.between(earliest, latest);
    world.after(atMs, `${node.name} starts`, () => node.start());
  }
  const sealsDamage = mutation === 'no snapshot check';
  const heal = scheduleFaults(plan, {
    world,
    random,
    nodes,
    network,
    coordination,
    disk,
    history,
    sealsDamage,
  });
  for (const client of clients) client.start();
  await world.run(() => {
    if (plan.exclusive && world.steps % 5 === 0) checkExclusive(world, names.keys, nodes);
    return world.steps >= plan.steps && world.now >= plan.faultsMs;
  });

  world.trace('no more faults');
  disk.faultRate = 0;
  for (const client of clients) client.stop();
  heal();
  for (const node of nodes) node.start();
  await expectService(world, names.keys, nodes, clients);
  if (!world.violation) await expectVerified(world, names.keys, nodes);
  if (!world.violation) await expectLeave(world, nodes);
  if (!world.violation) history.checkDisk(disk.logs.entries);
  return {
    plan: { ...plan, faults: plan.faults.filter((fault) => fault.atMs <= world.now) },
    violation: world.violation,
    lines: world.lines,
    hash: world.hash,
    steps: world.steps,
    virtualMs: world.now,
    reads: history.reads,
    told: told.count,
    acknowledged: history.acknowledged,
    duplicates: history.duplicates,
    fences: history.fences,
    shared: history.shared,
    errors: sumErrors(clients),
  };
}

/** @returns what heals everything and lets nothing more happen */
function scheduleFaults({ faults }: Plan, cell: FaultyCell): () => void {
  const { world } = cell;
  const undo = new Set<() => void>();
  let healing = false;
  for (const fault of faults) {
    world.after(fault.atMs, 'fault', () => {
      if (healing) return;
      world.trace(`fault: ${formatFault(fault)}`);
      const heal = beginFault(fault, cell);
      undo.add(heal);
      world.after(fault.forMs, `healed: ${fault.kind} ${fault.target}`, () => {
        if (undo.delete(heal)) heal();
      });
    });
  }
  return () => {
    healing = true;
    for (const heal of undo) heal();
    undo.clear();
  };
}

function checkExclusive(world: World, keys: readonly string[], nodes: readonly SimNode[]): void {
  for (const key of keys) {
    const owners = nodes.filter((node) => node.answersFor(key));
    if (owners.length > 1)
      world.fail(`${owners.map((node) => node.name).join(' and ')} both answer for ${key}`);
  }
}

/** Liveness: all nodes serve, and each key can be written and read. */
async function expectService(
  world: World,
  keys: readonly string[],
  nodes: readonly SimNode[],
  clients: readonly SimClient[],
): Promise<void> {
  const deadline = world.now + RECOVERY_MS;
  let left = keys.length;
  for (const [index, key] of keys.entries()) {
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

/**
 * Invariant 3, byte for byte: what each owner serves is the fold of its log. A page may be gone that nobody has asked for
 * since; that is told by the verification, too, and mended by making the image anew.
 */
async function expectVerified(
  world: World,
  keys: readonly string[],
  nodes: readonly SimNode[],
): Promise<void> {
  const deadline = world.now + RECOVERY_MS;
  let left = keys.length;
  const verify = async (key: string, isAnew = false): Promise<void> => {
    const owner = nodes.find((node) => node.answersFor(key));
    try {
      const verified = await owner?.verify(key);
      if (verified?.matches) return void left--;
      if (verified && isAnew) return world.fail(`${key} is not the fold of its log (invariant 3)`);
      await owner?.regenerate(key);
      return await verify(key, verified !== undefined);
    } catch (error) {
      world.trace(`${key} is not verified: ${error}`);
    }
    world.after(100, `${key} is verified again`, () => void verify(key));
  };
  for (const key of keys) void verify(key);
  await world.run(() => left === 0 || world.now > deadline);
  if (left > 0) world.fail(`${left} keys can't be verified`);
}

async function expectLeave(world: World, nodes: readonly SimNode[]): Promise<void> {
  const deadline = world.now + RECOVERY_MS;
  // A node that a fault made leave starts again once it has left: then it is asked again.
  const leave = async (node: SimNode): Promise<void> => {
    await node.leave();
    world.after(LEAVE_AGAIN_MS, `${node.name} is asked to leave`, () => void leave(node));
  };
  for (const node of nodes) void leave(node);
  await world.run(() => nodes.every((node) => !node.isUp) || world.now > deadline);
  if (nodes.some((node) => node.isUp)) world.fail('a node does not leave');
}

function sumErrors(clients: readonly SimClient[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const client of clients) {
    for (const [name, count] of client.errors) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
