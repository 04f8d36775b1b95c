// The roll of a platform's ZooKeeper: as in a cell, followers first and the leader last, while all servers are in step.
import { zookeeperGate } from '../cell/roll/gates.ts';
import type { RollFacts } from '../cell/roll/facts.ts';
import { rollGroups } from '../cell/roll/members.ts';
import { rollPlan } from '../cell/roll/plan.ts';
import { ofRole } from '../observe.ts';
import { ownerLabel, podHost } from '../resources/owner.ts';
import { TYPES } from '../runtime/resources.ts';
import { DONE, waitFor, type StepResult } from '../runtime/steps.ts';
import type { Platform } from '../types.ts';
import type { PodObject, World } from '../world.ts';
import type { PlatformContext } from './context.ts';

/** Deletes at most one pod: the next of the plan, if nothing speaks against it. */
export async function rollEnsemble(
  world: World,
  platform: Platform,
  { owner }: PlatformContext,
  now: Date,
): Promise<StepResult> {
  const sets = ofRole(world.caches.statefulSets, owner, 'zookeeper');
  const cached = ofRole(world.caches.pods, owner, 'zookeeper');
  if (rollPlan(rollGroups(owner, sets, cached, now), []).order.length === 0) return DONE;
  const labelSelector = `${ownerLabel('Platform')}=${owner.name}`;
  const pods = (await world.api.list<PodObject>(TYPES.pod, { labelSelector }, { namespace: owner.namespace }))
    .items;
  const facts = await ask(world, platform, owner, rollGroups(owner, sets, pods, now)[0]?.members ?? []);
  const shut = zookeeperGate(facts);
  const plan = rollPlan(rollGroups(owner, sets, pods, now, facts), shut ? [shut] : []);
  if (!plan.next) return waitFor(plan.blockedBy?.message ?? 'The pods on their way out must have gone.');
  const { name } = plan.next.member;
  const pod = pods.find(({ metadata }) => metadata.name === name);
  if (pod) {
    await world.api.delete(pod);
    const message = `Pod ${name} runs an older version or configuration: it is made anew.`;
    await world.events.record(platform, 'Normal', 'RollPod', 'Roll', message);
  }
  return waitFor(`Pod ${name} is made anew and must be ready then.`);
}

async function ask(
  { outside }: World,
  { spec }: Platform,
  owner: PlatformContext['owner'],
  members: { name: string; ordinal: number }[],
): Promise<RollFacts> {
  const answers = await Promise.all(
    members.map(async ({ name, ordinal }) => ({
      name,
      facts: await outside.zookeeper(podHost(owner, 'zookeeper', ordinal)),
    })),
  );
  return {
    bounds: { maxErrorPercent: 100, maxP99Ms: Infinity },
    goesBack: [],
    wanted: { zookeeper: spec.zookeeper.replicas, appServers: 0 },
    zookeeper: new Map(answers.flatMap(({ name, facts }) => (facts ? [[name, facts]] : []))),
    appServers: [],
    discovery: [],
  };
}
