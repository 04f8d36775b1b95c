// What must hold of ZooKeeper and discovery before a pod that serves may go: pure functions of what the servers say.
import type { RollFacts } from './facts.ts';
import type { Shut } from './plan.ts';

/** Every follower has what the leader has: losing one more leaves a quorum that lacks nothing. */
export function zookeeperGate({ zookeeper, wanted }: RollFacts): Shut | undefined {
  if (!zookeeper || wanted.zookeeper === 1) return undefined;
  const leader = [...zookeeper.values()].find(({ state }) => state === 'leader');
  const needed = wanted.zookeeper - 1;
  if (leader && leader.syncedFollowers >= needed) return undefined;
  const seen = leader ? `${leader.syncedFollowers} are` : 'no server says that it leads';
  return {
    reason: 'QuorumIncomplete',
    message: `${needed} followers of ZooKeeper must be in step with the leader; ${seen}.`,
    paused: false,
  };
}

/** Each server of a new image of ZooKeeper and the storage has run for a while: one that can't bear its work ends soon. */
export function storageTrialGate({ storageTrial }: RollFacts): Shut | undefined {
  const young = storageTrial?.servers.find(({ readySeconds }) => readySeconds < storageTrial.observeSeconds);
  if (!storageTrial || !young) return undefined;
  const message = `Pod ${young.pod} of the new image must have been ready for ${storageTrial.observeSeconds} s.`;
  return { reason: 'Observing', message, paused: false };
}

/** Every process of discovery sees all app servers serve: users were handed back before the next server leaves. */
export function discoveryGate({ discovery, wanted }: RollFacts): Shut | undefined {
  for (const serving of discovery) {
    if (!serving) {
      const message = 'Every process of discovery must tell which app servers it sees serve.';
      return { reason: 'DiscoveryAway', message, paused: false };
    }
    if (serving.length < wanted.appServers) {
      const message = `Every process of discovery must see ${wanted.appServers} app servers serve; one sees ${serving.length}.`;
      return { reason: 'NotOnRing', message, paused: false };
    }
  }
  return undefined;
}
