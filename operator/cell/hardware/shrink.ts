// Servers that the spec no longer asks for: their users, regions, blocks or votes go to others first, then they go.
import { podHost, podName, roleName } from '../../resources/owner.ts';
import { TYPES } from '../../runtime/resources.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import { bringFiles } from '../roll/data-nodes.ts';
import { drainAppServer } from '../roll/drain.ts';
import { lookAtCell, type CellLook } from '../roll/look.ts';
import { missingPod } from '../roll/plan.ts';
import { reloadRegions, unloadRegions } from '../roll/storage.ts';
import type { CellWork } from '../steps.ts';
import { dataNodeMayLeave } from './data-nodes-gate.ts';
import { shrinkEnsemble } from './ensemble.ts';
import { shrinkPlan, type Excess } from './shrink-plan.ts';
import { SHRINKING, askedPods, claimsOf, ordinalOf, type ShrinkingRole } from './sizes.ts';

/** One step further each time; all that it goes by is seen anew or lies in the status. */
export async function shrinkRoles(work: CellWork): Promise<StepResult> {
  const excess = excessOf(work);
  if (excess.length === 0) return await settle(work);
  const look = await lookAtCell(work);
  const dataNodes = excess.find(({ role }) => role === 'data-node');
  // Blocks take their time: they begin to move at once, whatever else goes on.
  const blocks = dataNodes ? await moveBlocks(work, look, dataNodes) : DONE;
  const withStuck = excess.map(({ role, pods, wanted }): Excess => ({
    role,
    pods,
    wanted,
    lastIsStuck: isStuck(look, role, pods),
  }));
  const { next, blockedBy } = shrinkPlan(
    withStuck.filter(({ role }) => role !== 'data-node' || blocks.done),
    missingPod(look.groups),
    look.gates,
  );
  if (next) return await release(work, look, next);
  if (blockedBy) return waitFor(blockedBy.message);
  return blocks;
}

function excessOf({ world, context, asked, sizes, cell }: CellWork): Omit<Excess, 'lastIsStuck'>[] {
  const set = (role: ShrinkingRole) =>
    world.caches.statefulSets.get(context.owner.namespace, roleName(context.owner, role));
  return SHRINKING.flatMap((role) => {
    const wanted = askedPods(asked, role);
    const pods = role === 'zookeeper' ? (cell.spec.zookeeper.servers ?? 0) : sizes.pods[role];
    return wanted !== undefined && pods > wanted && set(role) ? [{ role, pods, wanted }] : [];
  });
}

function isStuck({ groups }: CellLook, role: ShrinkingRole, pods: number): boolean {
  const members = groups.find((group) => group.role.role === role)?.members ?? [];
  return members.find(({ ordinal }) => ordinal === pods - 1)?.stuck ?? true;
}

async function release(work: CellWork, { facts }: CellLook, { role, pods, wanted, lastIsStuck }: Excess) {
  const { context, marks } = work;
  const name = podName(context.owner, role, pods - 1);
  const goes = waitFor(`Pod ${name} must end: the spec asks for ${wanted}.`);
  if (role === 'zookeeper') {
    const left = await shrinkEnsemble(work);
    if (!left.done) return left;
    await deleteClaims(work, role, (ordinal) => ordinal >= wanted);
    return goes;
  }
  if (role === 'data-node') {
    await deleteClaims(work, role, (ordinal) => ordinal === pods - 1);
    return goes;
  }
  if (role === 'region-server' && !lastIsStuck && facts.storage) {
    // It is remembered that regions were kept from a server, so that none stays so.
    marks.leaving = [...new Set([...(marks.leaving ?? []), name])];
    const waits = await unloadRegions(work, pods - 1, facts.storage);
    if (waits !== undefined) return waitFor(waits);
  }
  if (role === 'app-server' && !lastIsStuck) {
    const waits = await drainAppServer(work, pods - 1);
    if (waits !== undefined) return waitFor(waits);
  }
  await lower(work, role, pods - 1);
  return goes;
}

/** The next reconcile builds the role for what its StatefulSet says. */
async function lower({ world, context }: CellWork, role: ShrinkingRole, replicas: number): Promise<void> {
  const at = { namespace: context.owner.namespace, name: roleName(context.owner, role) };
  world.caches.statefulSets.observe(await world.api.patch(TYPES.statefulSet, at, { spec: { replicas } }));
}

/** The next reconcile builds the role for the claims that are left; a claim goes when its pod has. */
async function deleteClaims(
  { world, context }: CellWork,
  role: ShrinkingRole,
  which: (ordinal: number) => boolean,
): Promise<void> {
  for (const claim of claimsOf(world.caches, context.owner, role))
    if (which(ordinalOf(claim))) await world.api.delete(claim);
}

/** Done when the last DataNode may go. Only what has room elsewhere is told to move. */
async function moveBlocks(
  work: CellWork,
  { facts }: CellLook,
  { pods, wanted }: { pods: number; wanted: number },
): Promise<StepResult> {
  const { world, context, marks } = work;
  const nameOf = (ordinal: number): string => podName(context.owner, 'data-node', ordinal);
  const leaving = new Set(Array.from({ length: pods - wanted }, (_, n) => nameOf(wanted + n)));
  const active = activeNameNode(facts);
  if (!active) return waitFor('One NameNode must be active before a DataNode may go.');
  const nodes = await world.outside.storage.dataNodes(podHost(context.owner, 'name-node', active.ordinal));
  if (!nodes) return waitFor(`NameNode ${active.pod} must tell of its DataNodes.`);
  const leave = dataNodeMayLeave(nameOf(pods - 1), nodes, leaving, active.short);
  if (leave.may) return DONE;
  if (!leave.refused) {
    marks.leaving = [...new Set([...(marks.leaving ?? []), ...leaving])];
    await refreshNameNodes(work, facts);
  }
  return waitFor(leave.must);
}

function activeNameNode({ storage }: CellLook['facts']) {
  for (const [pod, facts] of storage?.nameNodes ?? [])
    if (facts.active) return { pod, ordinal: ordinalOf({ metadata: { name: pod } }), ...facts };
  return undefined;
}

/** Each: the standby may be the active one by the time that it matters. */
async function refreshNameNodes(work: CellWork, { storage }: CellLook['facts']): Promise<void> {
  const { world, context } = work;
  await bringFiles(work, [...(storage?.nameNodes.keys() ?? [])]);
  for (const pod of storage?.nameNodes.keys() ?? [])
    await world.outside.storage.refreshNodes(
      podHost(context.owner, 'name-node', ordinalOf({ metadata: { name: pod } })),
    );
}

/** After the last one, also when the spec asks for more again: whoever is there may have regions and blocks. */
async function settle(work: CellWork): Promise<StepResult> {
  const { marks, context } = work;
  if (!marks.leaving) return DONE;
  const is = (role: ShrinkingRole) => (pod: string) => pod.startsWith(`${roleName(context.owner, role)}-`);
  if (marks.leaving.some(is('region-server'))) await reloadRegions(work);
  if (marks.leaving.some(is('data-node'))) {
    const remembered = await forgetLeft(work);
    if (remembered !== undefined) return waitFor(remembered);
  }
  marks.leaving = undefined;
  return DONE;
}

/**
 * A NameNode goes by the list that it read last: a server of the same name would be let go again. Its pod gets the list that
 * is empty again soon after.
 */
async function forgetLeft(work: CellWork): Promise<string | undefined> {
  const { facts } = await lookAtCell(work);
  const members = [...(facts.storage?.nameNodes ?? [])];
  const remembers = members.find(([, { leaving }]) => leaving > 0);
  if (members.length > 0 && !remembers) return undefined;
  await refreshNameNodes(work, facts);
  return remembers
    ? `NameNode ${remembers[0]} must have read that no more DataNodes go.`
    : 'A NameNode must answer and have read that no more DataNodes go.';
}
