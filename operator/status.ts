// Conditions and sentences of a status, and writing them only when they changed.
import { covers } from './runtime/covers.ts';
import type { StepReport } from './runtime/steps.ts';
import { typeOf, type KubeObject } from './runtime/resources.ts';
import type { WatchCache } from './runtime/watch-cache.ts';
import type { CommonStatus, Condition } from './types.ts';
import type { World } from './world.ts';

export type ConditionNow = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** The conditions as they are now; each keeps the time at which its status last changed. */
export function mergeConditions(
  before: Condition[] | undefined,
  now: ConditionNow[],
  generation: number,
  at: Date,
): Condition[] {
  return now.map((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      old && old.status === condition.status
        ? old.lastTransitionTime
        : at.toISOString().replace(/\.\d+Z$/, 'Z');
    return { ...condition, observedGeneration: generation, lastTransitionTime };
  });
}

/** The first step that is not done says what is next and what holds it up. */
export function nextOf(reports: StepReport<string>[]): { nextAction: string; blockedBy: string } {
  const open = reports.find(({ outcome }) => outcome !== 'done');
  return { nextAction: open?.title ?? '', blockedBy: open?.message ?? '' };
}

/** Why what serves is less than it should be: failed steps and pods that won't run. Empty when nothing is. */
export function troublesOf(reports: StepReport<string>[], pods: string[]): string[] {
  const failed = reports.filter(({ outcome }) => outcome === 'failed');
  return [...failed.map(({ title, message }) => `${title}: ${message}`), ...pods];
}

/** At most so many sentences in one condition's message. */
const MAX_SENTENCES = 5;

export function degradedCondition(troubles: string[]): ConditionNow {
  return troubles.length === 0
    ? { type: 'Degraded', status: 'False', reason: 'AsExpected', message: 'Nothing is wrong.' }
    : {
        type: 'Degraded',
        status: 'True',
        reason: 'Trouble',
        message: troubles.slice(0, MAX_SENTENCES).join(' '),
      };
}

export function progressingCondition(open: { nextAction: string; blockedBy: string }): ConditionNow {
  return open.nextAction === ''
    ? { type: 'Progressing', status: 'False', reason: 'Settled', message: 'Everything is as the spec says.' }
    : {
        type: 'Progressing',
        status: 'True',
        reason: 'InProgress',
        message: `${open.nextAction}: ${open.blockedBy}`,
      };
}

/** Writes a status when it differs from the live one. Fields that are undefined are removed. */
export async function writeStatus<T extends KubeObject & { status?: CommonStatus }>(
  world: World,
  cache: WatchCache<T>,
  object: T,
  status: NonNullable<T['status']>,
): Promise<void> {
  if (sameStatus(object.status, status)) return;
  const { name, namespace } = object.metadata;
  const { apiVersion, kind } = typeOf(object);
  const wanted = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    status,
  };
  cache.observe(await world.api.apply<T>(wanted, 'status'));
}

function sameStatus(live: CommonStatus | undefined, wanted: CommonStatus): boolean {
  return covers(live ?? {}, wanted) && covers(wanted, live ?? {});
}
