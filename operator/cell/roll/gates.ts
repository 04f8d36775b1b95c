// What must hold before a pod that serves may go, and when a version is bad: pure functions of what the servers say.
import type { Answers, RollFacts } from './facts.ts';
import type { Shut } from './plan.ts';

/** Fewer requests say nothing about a share of errors or a 99th percentile. */
const MIN_REQUESTS = 20;

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

const percentOf = ({ errors, requests }: Answers): number => (100 * errors) / Math.max(requests, 1);

/** The app servers answer well enough to bear that one of them goes. */
export function appServersGate({ appServers, bounds }: RollFacts): Shut | undefined {
  for (const { pod, lately } of appServers) {
    if (lately.requests < MIN_REQUESTS) continue;
    const percent = percentOf(lately);
    if (percent > bounds.maxErrorPercent) {
      return {
        reason: 'ErrorRate',
        message: `At most ${bounds.maxErrorPercent} % of the requests to ${pod} may fail.`,
        paused: true,
      };
    }
    if (lately.p99Ms > bounds.maxP99Ms) {
      return {
        reason: 'Latency',
        message: `99 % of the calls of ${pod} must be answered within ${bounds.maxP99Ms} ms.`,
        paused: true,
      };
    }
  }
  return undefined;
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

/**
 * Does a server of the newest version fail its users while those of the version before don't? Then the version is bad;
 * when all fail, something else is.
 * @returns why, or undefined
 */
export function badAnswers({ appServers, bounds }: RollFacts): string | undefined {
  const fails = (answers: Answers): boolean =>
    answers.requests >= MIN_REQUESTS && percentOf(answers) > bounds.maxErrorPercent;
  const bad = appServers.find(({ newest, everSince }) => newest && fails(everSince));
  if (!bad || appServers.some(({ newest, lately }) => !newest && fails(lately))) return undefined;
  return `more than ${bounds.maxErrorPercent} % of the requests to ${bad.pod} failed.`;
}
