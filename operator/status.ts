// Conditions and sentences of a status, and writing them only when they changed.
import type { Observed } from './observe.ts';
import { covers } from './runtime/covers.ts';
import type { StepReport } from './runtime/steps.ts';
import { typeOf, type KubeObject } from './runtime/resources.ts';
import type { WatchCache } from './runtime/watch-cache.ts';
import type { CommonStatus, Condition, RoleStatus } from './types.ts';
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

export type OpenWork = { nextAction: string; blockedBy: string };
export type RoleProgress = { title: string; seen: Observed; wanted: number };

/** What is next and what holds it up: the first step that is not done, else the first role that has not all its pods. */
export function openWork(reports: StepReport<string>[], roles: RoleProgress[]): OpenWork {
  const open = reports.find(({ outcome }) => outcome !== 'done');
  if (open) return { nextAction: open.title, blockedBy: open.message };
  for (const { title, seen, wanted } of roles) {
    if (seen.ready !== wanted) {
      return { nextAction: title, blockedBy: `${wanted} pods must be ready; ${seen.ready} are.` };
    }
    if (!seen.upToDate) return { nextAction: title, blockedBy: 'Not all pods run what the spec says yet.' };
  }
  return { nextAction: '', blockedBy: '' };
}

/** The state of things in a sentence. */
export function phaseOf(
  ready: ConditionNow,
  degraded: ConditionNow,
  open: OpenWork,
  refusal: string | undefined,
): string {
  if (refusal !== undefined) return `Deletion waits: ${refusal}`;
  const serves = ready.status === 'True';
  if (degraded.status === 'True')
    return `${serves ? 'Serving' : 'Not serving'}, with trouble: ${degraded.message}`;
  if (open.nextAction !== '') return `${serves ? 'Serving. ' : ''}${open.nextAction}: ${open.blockedBy}`;
  return serves ? 'Serving' : ready.message;
}

export const countsOf = ({ replicas, ready, summary }: RoleStatus): RoleStatus => ({
  replicas,
  ready,
  summary,
});

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

export function progressingCondition(open: OpenWork): ConditionNow {
  return open.nextAction === ''
    ? { type: 'Progressing', status: 'False', reason: 'Settled', message: 'Everything is as the spec says.' }
    : {
        type: 'Progressing',
        status: 'True',
        // One word a step: a step that becomes the next is told as an event.
        reason: camelCase(open.nextAction),
        message: `${open.nextAction}: ${open.blockedBy}`,
      };
}

const camelCase = (title: string): string =>
  title
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');

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
