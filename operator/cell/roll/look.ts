// What is to be seen of a cell before one of its pods may go: pods as they are just now, what their servers say, gates.
import { ofRole } from '../../observe.ts';
import { podHost } from '../../resources/owner.ts';
import { TYPES } from '../../runtime/resources.ts';
import type { PodObject, World } from '../../world.ts';
import { IMAGE_KINDS } from '../images.ts';
import { APP_SERVER_PORT } from '../resources/app-servers.ts';
import type { CellWork } from '../steps.ts';
import type { AnswersOfServer, AppServerFacts, RollFacts } from './facts.ts';
import { readySecondsOf, rollGroups } from './members.ts';
import { onTrial } from './on-trial.ts';
import type { RollGroup, Shut } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';
import { httpUrl } from '../../../workloads/common/http/url.ts';
import { askDiscovery } from './sight.ts';
import { askStorage } from './storage.ts';

/** `gates`: those that are shut, in order. */
export type CellLook = { pods: PodObject[]; groups: RollGroup[]; facts: RollFacts; gates: Shut[] };

export async function lookAtCell(work: CellWork): Promise<CellLook> {
  const { world, context, cell, now } = work;
  const sets = ofRole(world.caches.statefulSets, context.owner);
  const pods = await livePods(work);
  const facts = await askAll(work, rollGroups(context.owner, sets, pods, now), pods);
  return {
    pods,
    groups: rollGroups(context.owner, sets, pods, now, facts),
    facts,
    gates: gatesOf(cell.spec.rollout.paused, facts),
  };
}

function gatesOf(paused: boolean, facts: RollFacts): Shut[] {
  const asked: Shut = { reason: 'Asked', message: 'spec.rollout.paused must be false.', paused: true };
  return [
    ...(paused ? [asked] : []),
    ...ROLL_ROLES.flatMap(({ gates }) => gates.flatMap((gate) => gate(facts) ?? [])),
  ];
}

/** Caches may lag: a pod that was deleted a moment ago must not be counted as one that serves. */
async function livePods({ world, context: { owner } }: CellWork): Promise<PodObject[]> {
  const labelSelector = `cellpost.dev/cell=${owner.name}`;
  const { namespace } = owner;
  return (await world.api.list<PodObject>(TYPES.pod, { labelSelector }, { namespace })).items;
}

/** Asks the servers of the cell and discovery, all at once. */
async function askAll(work: CellWork, groups: RollGroup[], pods: PodObject[]): Promise<RollFacts> {
  const { world, context, cell, now } = work;
  const membersOf = (role: string) => groups.find((group) => group.role.role === role)?.members ?? [];
  const servers = pods.filter(({ metadata }) =>
    membersOf('app-server').some(({ name, ending }) => name === metadata.name && !ending),
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
  const { maxErrorPercent, maxP99Ms, minRequests, observeSeconds } = cell.spec.rollout.gates;
  const { images } = context;
  return {
    bounds: { maxErrorPercent, maxP99Ms },
    ...(onTrial(work, 'cellpost') && { trial: { minRequests, observeSeconds } }),
    ...(onTrial(work, 'hbase') && {
      storageTrial: { observeSeconds, servers: storageOnTrial(groups, pods, now) },
    }),
    goesBack: IMAGE_KINDS.filter((kind) => images[kind] !== images.asked[kind]),
    wanted: { zookeeper: cell.spec.zookeeper.replicas, appServers: cell.spec.appServers.replicas },
    zookeeper: new Map(zookeeper.flatMap(({ name, facts }) => (facts ? [[name, facts]] : []))),
    ...(storage && { storage }),
    appServers,
    discovery,
  };
}

/** Pods of ZooKeeper and the storage that run the newest. */
function storageOnTrial(groups: RollGroup[], pods: PodObject[], now: Date) {
  const newest = groups
    .filter(({ role }) => role.image === 'hbase')
    .flatMap(({ members }) => members.filter(({ outdated }) => !outdated));
  return newest.map(({ name }) => ({
    pod: name,
    readySeconds: readySecondsOf(pods.find(({ metadata }) => metadata.name === name) ?? {}, now),
  }));
}

async function askServer(
  { world, now }: CellWork,
  { metadata, status }: PodObject,
  members: RollGroup['members'],
): Promise<AppServerFacts> {
  return {
    pod: metadata.name,
    newest: members.some(({ name, outdated }) => name === metadata.name && !outdated),
    readySeconds: readySecondsOf({ status }, now),
    answers: await answersOfPod(world, { status }),
  };
}

/** Of an app server; undefined when it does not tell. */
export async function answersOfPod(
  { outside }: World,
  { status }: Pick<PodObject, 'status'>,
): Promise<AnswersOfServer | undefined> {
  return status?.podIP === undefined
    ? undefined
    : await outside.appServer(httpUrl(status.podIP, APP_SERVER_PORT));
}
