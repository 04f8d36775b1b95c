// One step of a cell's roll a reconcile. All it goes by is seen anew each time or lies in the status, so an operator that
// starts in the middle goes on.
import { ofRole } from '../../observe.ts';
import { podHost, roleName, selectorOf, type Owner } from '../../resources/owner.ts';
import { TYPES } from '../../runtime/resources.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import type { PodObject } from '../../world.ts';
import type { CellWork } from '../steps.ts';
import type { AppServerFacts, RollFacts } from './facts.ts';
import { badAnswers } from './gates.ts';
import { failureOf, rollGroups } from './members.ts';
import { rollPlan, type RollGroup, type RollPlan, type Shut } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';
import { askStorage, reloadRegions } from './storage.ts';

const APP_SERVER_PORT = 8081;
const MINUTE_MS = 60_000;

/** Deletes at most one pod: the next of the plan, if nothing speaks against it. */
export async function rollMembers(work: CellWork): Promise<StepResult> {
  const { world, context, cell, marks, now } = work;
  const sets = world.caches.statefulSets.list(context.owner.namespace);
  const cached = ofRole(world.caches.pods, context.owner);
  const failure = failureOfVersion(work, cached);
  if (failure !== undefined) return rollBack(work, failure);
  if (rollPlan(rollGroups(context.owner, sets, cached, now), []).order.length === 0) {
    // The last pod of a roll counts when it is ready.
    if (marks.roll && !allReady(rollGroups(context.owner, sets, cached, now)))
      return waitFor('The last pod that was made anew must be ready.');
    // A reconcile that finds a roll ended undoes what it did to HBase, also when another operator began it.
    if (marks.roll) await reloadRegions(work);
    marks.roll = undefined;
    marks.shut = undefined;
    return DONE;
  }
  const pods = await livePods(work);
  const groups = rollGroups(context.owner, sets, pods, now);
  const facts = await askAll(work, groups, pods);
  const bad = context.images.cellpost === marks.goodImage ? undefined : badAnswers(facts);
  if (bad !== undefined && marks.goodImage !== undefined) return rollBack(work, bad);
  const plan = rollPlan(
    rollGroups(context.owner, sets, pods, now, facts),
    gatesOf(cell.spec.rollout.paused, facts),
  );
  return await act(work, plan, pods, facts);
}

async function act(work: CellWork, plan: RollPlan, pods: PodObject[], facts: RollFacts): Promise<StepResult> {
  const { world, cell, marks } = work;
  const left = plan.order.length;
  const total = Math.max(marks.roll?.total ?? 0, left);
  const first = plan.next ?? plan.order[0];
  marks.shut = plan.blockedBy;
  marks.roll = { total, done: total - left, current: first?.member.name ?? '' };
  if (!plan.next) return waitFor(plan.blockedBy?.message ?? 'The pods on their way out must have gone.');
  const { group, member } = plan.next;
  const waits = member.ready ? await group.role.before?.(work, member.ordinal, facts) : undefined;
  if (waits !== undefined) return waitFor(waits);
  const pod = pods.find(({ metadata }) => metadata.name === member.name);
  if (pod) {
    await world.api.delete(pod);
    const why = !member.stuck
      ? 'runs an older version or configuration'
      : 'is not ready and of an older version';
    await world.events.record(
      cell,
      'Normal',
      'RollPod',
      'Roll',
      `Pod ${member.name} ${why}: it is made anew (${total - left + 1} of ${total}).`,
    );
  }
  return waitFor(`Pod ${member.name} is made anew and must be ready then.`);
}

function gatesOf(paused: boolean, facts: RollFacts): Shut[] {
  const asked: Shut = { reason: 'Asked', message: 'spec.rollout.paused must be false.', paused: true };
  return [
    ...(paused ? [asked] : []),
    ...ROLL_ROLES.flatMap(({ gates }) => gates.flatMap((gate) => gate(facts) ?? [])),
  ];
}

/** A new version whose servers don't come up is bad, if there was one that did. */
function failureOfVersion(
  { context, cell, marks, world, now }: CellWork,
  pods: PodObject[],
): string | undefined {
  if (marks.goodImage === undefined || context.images.cellpost === marks.goodImage) return undefined;
  const { owner } = context;
  const set = world.caches.statefulSets.get(owner.namespace, roleName(owner, 'app-server'));
  if (!set) return undefined;
  const [group] = rollGroups(owner, [set], pods, now);
  // Before the controller has seen the new version, no pod is of it.
  if (!group?.settled) return undefined;
  const limitMs = cell.spec.rollout.gates.readyMinutes * MINUTE_MS;
  for (const { name, outdated } of group.members) {
    const pod = outdated ? undefined : pods.find(({ metadata }) => metadata.name === name);
    const failure = pod && failureOf(pod, now, limitMs);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** From the next reconcile on the app servers have the good image again; pods that never left it are not touched. */
function rollBack({ context, marks }: CellWork, why: string): StepResult {
  marks.rolledBack = { image: context.images.cellpost, message: why };
  return waitFor('App servers go back to the last good version.');
}

const allReady = (groups: RollGroup[]): boolean =>
  groups.every(
    ({ members, wanted }) =>
      members.length >= wanted && members.every(({ ready, ending }) => ready && !ending),
  );

/** Caches may lag: a pod that was deleted a moment ago must not be counted as one that serves. */
async function livePods({ world, context: { owner } }: CellWork): Promise<PodObject[]> {
  const labelSelector = `cellpost.dev/cell=${owner.name}`;
  const { items } = await world.api.list<PodObject>(TYPES.pod, { labelSelector });
  return items.filter(({ metadata }) => metadata.namespace === owner.namespace);
}

/** Asks the servers of the cell and discovery, all at once. */
async function askAll(work: CellWork, groups: RollGroup[], pods: PodObject[]): Promise<RollFacts> {
  const { world, context, cell } = work;
  const membersOf = (role: string) => groups.find((group) => group.role.role === role)?.members ?? [];
  const servers = pods.filter(({ metadata }) =>
    membersOf('app-server').some(({ name }) => name === metadata.name),
  );
  const [zookeeper, storage, appServers, discovery] = await Promise.all([
    Promise.all(
      membersOf('zookeeper').map(async ({ name, ordinal }) => ({
        name,
        facts: await world.outside.zookeeper(podHost(context.owner, 'zookeeper', ordinal)),
      })),
    ),
    askStorage(work, groups),
    Promise.all(servers.map((pod) => askServer(work, pod, membersOf('app-server')))),
    askDiscovery(work),
  ]);
  const { maxErrorPercent, maxP99Ms } = cell.spec.rollout.gates;
  return {
    bounds: { maxErrorPercent, maxP99Ms },
    wanted: { zookeeper: cell.spec.zookeeper.replicas, appServers: cell.spec.appServers.replicas },
    zookeeper: new Map(zookeeper.flatMap(({ name, facts }) => (facts ? [[name, facts]] : []))),
    ...(storage && { storage }),
    appServers: appServers.flatMap((one) => one ?? []),
    discovery,
  };
}

async function askServer(
  { world }: CellWork,
  { metadata, status }: PodObject,
  members: RollGroup['members'],
): Promise<AppServerFacts | undefined> {
  if (!status?.podIP) return undefined;
  const answers = await world.outside.appServer(urlOf(status.podIP, APP_SERVER_PORT));
  const newest = members.some(({ name, outdated }) => name === metadata.name && !outdated);
  return answers && { pod: metadata.name, newest, ...answers };
}

/** Each process of discovery by itself: what one has heard another may not have. */
async function askDiscovery({
  world,
  context,
  platform,
  credentials,
}: CellWork): Promise<(string[] | undefined)[]> {
  const url = platform.status?.discoveryUrl;
  if (!url) return [];
  const owner: Owner = { ...context.owner, kind: 'Platform', ...context.platform };
  const selector = Object.entries(selectorOf(owner, 'discovery'));
  const addresses = world.caches.pods
    .list(owner.namespace)
    .filter(({ metadata }) => selector.every(([key, value]) => metadata.labels?.[key] === value))
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .flatMap(({ status }) => status?.podIP ?? []);
  return await Promise.all(
    addresses.map(async (address) => {
      const admin = world.outside.discovery(
        urlOf(address, Number(new URL(url).port)),
        credentials.platformToken ?? '',
      );
      const answer = await admin.cell(context.owner.name).catch(() => undefined);
      return answer?.nodes.filter(({ state }) => state === 'serving').map(({ name }) => name);
    }),
  );
}

const urlOf = (address: string, port: number): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
