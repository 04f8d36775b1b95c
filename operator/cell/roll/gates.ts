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
