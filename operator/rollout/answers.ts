// How the app servers of cells that have a rollout's version answer, while their stage bakes.
import { answersOfPod } from '../cell/roll/look.ts';
import { failingKind, isSlow } from '../cell/roll/answers.ts';
import type { AnswersOfServer } from '../cell/roll/facts.ts';
import { ofRole } from '../observe.ts';
import { ownerOf } from '../resources/owner.ts';
import type { Cell } from '../types.ts';
import type { PodObject, World } from '../world.ts';
import { givenBy } from './given.ts';
import { stateOf, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { stagesOf } from './stages.ts';
import type { Rollout, RolloutSpec } from './types.ts';

/** App servers that are asked at once, of all cells together; of more, some of each cell. */
const MAX_ASKED = 200;

/** The same members; those whose app servers answer badly say so. @returns also how many were asked */
export async function askMembers(
  world: World,
  rollout: Rollout,
  observed: Observed,
): Promise<{ observed: Observed; asked: number }> {
  const cells = bakingCells(rollout, observed);
  const each = Math.ceil(MAX_ASKED / Math.max(cells.length, 1));
  const bad = new Map<Member, string>();
  let asked = 0;
  await Promise.all(
    cells.slice(0, MAX_ASKED).map(async (member) => {
      const pods = servingPods(world, member.object as Cell).slice(0, each);
      asked += pods.length;
      const answers = await Promise.all(pods.map((pod) => answersOfPod(world, pod)));
      for (const [index, pod] of pods.entries()) {
        const why = judge(pod.metadata.name, answers[index], rollout.spec.gates);
        if (why !== undefined && !bad.has(member)) bad.set(member, why);
      }
    }),
  );
  const withAnswers = (member: Member): Member => {
    const badAnswers = bad.get(member);
    return badAnswers === undefined ? member : { ...member, badAnswers };
  };
  return { observed: { ...observed, cells: observed.cells.map(withAnswers) }, asked };
}

/** Of the first stage that has not baked; while that is the platform's, all cells before it, which are behind its services. */
function bakingCells({ spec, status }: Rollout, { cells, platform }: Observed): Member[] {
  if (status?.failure || spec.abort) return [];
  const baked = new Set((status?.stages ?? []).flatMap(({ name, bakedAt }) => (bakedAt ? [name] : [])));
  const stages = stagesOf(spec, cells, platform);
  const index = stages.findIndex(({ name }) => !baked.has(name));
  const open = stages[index];
  if (!open) return [];
  const concerned = open.name === 'platform' ? stages.slice(0, index) : [open];
  const given = givenBy(spec);
  return concerned
    .flatMap(({ members }) => members)
    .filter((member) => member.kind === 'cell' && stateOf(member, given) === 'reached');
}

function servingPods({ caches, settings }: World, cell: Cell): PodObject[] {
  return ofRole(caches.pods, ownerOf(cell, settings.domain), 'app-server').filter(
    ({ metadata, status }) =>
      !metadata.deletionTimestamp &&
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
  );
}

/** @returns what is wrong with the answers of a pod that serves, as a part of a sentence; undefined when nothing is */
export function judge(
  pod: string,
  answers: AnswersOfServer | undefined,
  { maxErrorPercent, maxP99Ms }: RolloutSpec['gates'],
): string | undefined {
  if (!answers) return `${pod} does not tell how it answers.`;
  const kind =
    failingKind(answers.lately, maxErrorPercent) ?? failingKind(answers.everSince, maxErrorPercent);
  if (kind !== undefined) return `more than ${maxErrorPercent} % of the ${kind} to ${pod} fail.`;
  if (isSlow(answers.lately, maxP99Ms)) return `1 % of the calls of ${pod} take more than ${maxP99Ms} ms.`;
  return undefined;
}
