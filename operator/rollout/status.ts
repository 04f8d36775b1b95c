// What a rollout's status says: a pure function of the plan.
import { mergeConditions, type ConditionNow } from '../status.ts';
import { called, givenBy } from './given.ts';
import { stateOf, type Member } from './member.ts';
import type { Plan } from './plan.ts';
import type { Given, Outcome, Rollout, RolloutStatus } from './types.ts';

/** Of members that are on their way, in a status that stays small whatever the fleet. */
const MAX_LISTED = 20;

export function rolloutStatus(
  rollout: Rollout,
  plan: Plan,
  members: readonly Member[],
  now: Date,
): RolloutStatus {
  const { spec, metadata, status } = rollout;
  const generation = metadata.generation ?? 0;
  const given = givenBy(spec);
  const stateOfMember = (member: Member): string => stateOf(member, given);
  const reached = members.filter((member) => stateOfMember(member) === 'reached').length;
  const underWay = members
    .filter((member) => ['rolling', 'goingBack', 'changed'].includes(stateOfMember(member)))
    .slice(0, MAX_LISTED)
    .map((member) => listed(member, given));
  return {
    observedGeneration: generation,
    phase: phaseOf(rollout, plan, reached, members.length),
    nextAction: plan.nextAction,
    blockedBy: plan.blockedBy,
    ...(plan.stage !== undefined && { stage: plan.stage }),
    summary: `${reached}/${members.length}`,
    stages: plan.stages,
    underWay,
    ...(plan.failure && { failure: plan.failure }),
    ...(plan.outcome && { outcome: plan.outcome }),
    conditions: mergeConditions(status?.conditions, conditionsOf(plan), generation, now),
  };
}

function listed(member: Member, given: Given): NonNullable<RolloutStatus['underWay']>[number] {
  const { title, mark } = member;
  return {
    name: title,
    state: stateOf(member, given),
    previousVersion: mark?.previous ?? '',
    ...(given.hbase !== undefined && { previousHbaseImage: mark?.previousHbase ?? '' }),
  };
}

/** It can't begin. @param blockedBy what must happen before */
export function waitingStatus(rollout: Rollout, blockedBy: string, now: Date): RolloutStatus {
  const generation = rollout.metadata.generation ?? 0;
  const plan: Plan = { stages: [], push: [], goesBack: false, nextAction: 'Begin the rollout', blockedBy };
  return {
    observedGeneration: generation,
    phase: `Waits: ${blockedBy}`,
    nextAction: plan.nextAction,
    blockedBy,
    conditions: mergeConditions(rollout.status?.conditions, conditionsOf(plan), generation, now),
  };
}

const ENDS: Record<Outcome, string> = {
  Complete: 'The whole fleet runs the version.',
  RolledBack: 'All that had been given the version runs the one before.',
  Aborted: 'It was stopped where it was.',
};

function phaseOf({ spec }: Rollout, plan: Plan, reached: number, all: number): string {
  const { outcome, failure, held, stage } = plan;
  if (outcome === 'RolledBack') return `Rolled back: ${failure?.message ?? ''}`;
  if (outcome === 'Aborted') return `Aborted: ${reached} of ${all} run ${called(givenBy(spec))}.`;
  if (outcome === 'Complete') return `Complete: all ${all} run ${called(givenBy(spec))}.`;
  if (held) return `Paused: ${held.message}`;
  if (failure) return `Rolling back ${stage ?? ''}: ${failure.message}`;
  return `${stage ?? ''}: ${plan.nextAction}${plan.blockedBy === '' ? '' : `: ${plan.blockedBy}`}`;
}

function conditionsOf({ outcome, failure, held, nextAction, blockedBy }: Plan): ConditionNow[] {
  const ended = (type: Outcome): ConditionNow => ({
    type,
    status: outcome === type ? 'True' : 'False',
    reason: outcome === type ? type : outcome ? 'EndedOtherwise' : 'UnderWay',
    message: outcome === type ? ENDS[type] : '',
  });
  return [
    {
      type: 'Progressing',
      status: outcome || held ? 'False' : 'True',
      reason: outcome ?? held?.reason ?? (failure ? 'RollingBack' : 'RollingOut'),
      message: outcome ? ENDS[outcome] : [nextAction, blockedBy].filter((text) => text !== '').join(': '),
    },
    {
      type: 'Paused',
      status: held ? 'True' : 'False',
      reason: held?.reason ?? 'AsExpected',
      message: held?.message ?? '',
    },
    {
      type: 'Degraded',
      status: failure || held?.reason === 'Failed' ? 'True' : 'False',
      reason: failure || held?.reason === 'Failed' ? 'BadVersion' : 'AsExpected',
      message: failure?.message ?? (held?.reason === 'Failed' ? held.message : ''),
    },
    ended('Complete'),
    ended('RolledBack'),
    ended('Aborted'),
  ];
}
