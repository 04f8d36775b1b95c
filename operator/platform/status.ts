// What a platform's status says: pure functions of what was seen and done.
import type { Observed } from '../observe.ts';
import { versionOf } from '../resources/service-pod.ts';
import type { StepReport } from '../runtime/steps.ts';
import {
  countsOf,
  degradedCondition,
  mergeConditions,
  openWork,
  phaseOf,
  progressingCondition,
  troublesOf,
  type ConditionNow,
  type RoleProgress,
} from '../status.ts';
import type { Images, Platform, PlatformStatus } from '../types.ts';

export type PlatformObservation = {
  zookeeper: Observed;
  discovery: Observed;
  mtaProxy: Observed;
  userIndex: Observed;
  /** Undefined: the platform has none. */
  memcached: Observed | undefined;
  counts: Observed | undefined;
  console: Observed | undefined;
  web: Observed;
  podTroubles: string[];
};

export type PlatformStatusInput = {
  platform: Platform;
  observed: PlatformObservation;
  reports: StepReport<string>[];
  formedAt: string | undefined;
  discoveryUrl: string;
  /** The image that the services should run. */
  image: string;
  /** See PlatformStatus. */
  images: Images;
  /** Why a deletion does not go on. */
  refusal: string | undefined;
  now: Date;
};

export function platformStatus(input: PlatformStatusInput): PlatformStatus {
  const { platform, observed, reports, refusal, now } = input;
  const generation = platform.metadata.generation ?? 0;
  const open =
    refusal === undefined
      ? openWork(reports, rolesOf(input))
      : { nextAction: 'Delete the platform', blockedBy: refusal };
  const version = runningVersion(input);
  // A roll goes on while all is served.
  const closed = reports.find(({ name, outcome }) => name !== 'roll' && outcome !== 'done');
  const ready: ConditionNow = closed
    ? { type: 'Ready', status: 'False', reason: 'NotServing', message: `${closed.title}: ${closed.message}` }
    : { type: 'Ready', status: 'True', reason: 'Serving', message: 'Discovery and the doors serve.' };
  const degraded = degradedCondition(troublesOf(reports, observed.podTroubles));
  const conditions: ConditionNow[] = [
    ready,
    progressingCondition(open),
    degraded,
    ...(refusal === undefined
      ? []
      : [{ type: 'Deleting', status: 'False' as const, reason: 'HasCells', message: refusal }]),
  ];
  return {
    observedGeneration: generation,
    phase: phaseOf(ready, degraded, open, refusal),
    nextAction: open.nextAction,
    blockedBy: open.blockedBy,
    ...(version !== undefined && { version }),
    images: input.images,
    discoveryUrl: input.discoveryUrl,
    zookeeper: {
      ...countsOf(observed.zookeeper),
      ...(input.formedAt !== undefined && { formedAt: input.formedAt }),
    },
    discovery: countsOf(observed.discovery),
    mtaProxy: countsOf(observed.mtaProxy),
    userIndex: countsOf(observed.userIndex),
    ...(observed.memcached && { memcached: countsOf(observed.memcached) }),
    ...(observed.counts && { counts: countsOf(observed.counts) }),
    ...(observed.console && { console: countsOf(observed.console) }),
    web: countsOf(observed.web),
    conditions: mergeConditions(platform.status?.conditions, conditions, generation, now),
  };
}

/** The version is told when all services run it; until then the one before stands. */
function runningVersion({ platform, observed, image }: PlatformStatusInput): string | undefined {
  const { discovery, mtaProxy, userIndex, counts, console, web } = observed;
  const all = [discovery, mtaProxy, userIndex, counts, console, web].every(
    (seen) => !seen || (seen.upToDate && seen.ready === seen.replicas),
  );
  return all ? versionOf(image) : platform.status?.version;
}

function rolesOf({ observed, platform: { spec } }: PlatformStatusInput): RoleProgress[] {
  return [
    { title: 'Complete ZooKeeper', seen: observed.zookeeper, wanted: spec.zookeeper.replicas },
    { title: 'Complete discovery', seen: observed.discovery, wanted: spec.discovery.replicas },
    { title: 'Complete the MTA proxy', seen: observed.mtaProxy, wanted: spec.mtaProxy.replicas },
    { title: 'Complete the user index', seen: observed.userIndex, wanted: spec.userIndex.replicas },
    ...countsRoles(observed, spec.counts),
    ...(observed.console ? [{ title: 'Complete the console', seen: observed.console, wanted: 1 }] : []),
    { title: 'Complete web', seen: observed.web, wanted: spec.web.replicas },
  ];
}

function countsRoles(
  { memcached, counts }: PlatformObservation,
  wanted: Platform['spec']['counts'],
): RoleProgress[] {
  if (!wanted) return [];
  return [
    ...(memcached
      ? [{ title: 'Complete memcached', seen: memcached, wanted: wanted.memcached.replicas }]
      : []),
    ...(counts
      ? [{ title: 'Complete the memcache dirty service', seen: counts, wanted: wanted.replicas }]
      : []),
  ];
}
