import { Command } from 'commander';
import { TYPES, type KubeObject } from '../../operator/runtime/resources.ts';
import { called, givenBy } from '../../operator/rollout/given.ts';
import type { Rollout } from '../../operator/rollout/types.ts';
import type { Cell, CommonStatus } from '../../operator/types.ts';
import { withKubernetes } from '../kubernetes.ts';
import { formatTable, printJson } from '../output.ts';

type Options = { namespace?: string; json?: boolean };
type Explained = KubeObject & { status?: CommonStatus };

const KINDS = { cell: TYPES.cell, rollout: TYPES.rollout, platform: TYPES.platform };

/** `cellctl explain CELL`, `rollout/NAME`, `platform/NAME`: how it fares, what it waits for and since when. */
export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'tells how a cell, a rollout or a platform fares, what the operator does next, what that waits for and since when',
    )
    .argument('<name>', 'a cell, or rollout/NAME, platform/NAME')
    .option('-n, --namespace <namespace>', "its namespace; the kubeconfig's when absent")
    .option('--json', 'prints JSON')
    .action((what: string, options: Options) =>
      withKubernetes(async ({ api, namespace }) => {
        const [kind, name] = kindAndName(what);
        const at = { name, namespace: options.namespace ?? namespace };
        const object = await api.get<Explained>(KINDS[kind], at);
        if (!object) throw new Error(`There is no ${kind} ${name} in namespace ${at.namespace}.`);
        const told = explain(kind, object);
        if (options.json) printJson(told);
        else process.stdout.write(inWords(told));
      }),
    );
}

/** @throws when it names no kind that is known */
function kindAndName(what: string): [keyof typeof KINDS, string] {
  const [first = '', second] = what.split('/', 2);
  if (second === undefined) return ['cell', first];
  if (first !== 'cell' && first !== 'rollout' && first !== 'platform')
    throw new Error(`${first} is none of cell, rollout, platform.`);
  return [first, second];
}

type Explanation = ReturnType<typeof explain>;

function explain(kind: keyof typeof KINDS, object: Explained) {
  const { metadata, status } = object;
  const progressing = status?.conditions?.find(({ type }) => type === 'Progressing');
  return {
    kind,
    name: metadata.name,
    about: aboutOf(kind, object),
    phase: status?.phase ?? 'The operator has not looked at it yet.',
    nextAction: status?.nextAction ?? '',
    blockedBy: status?.blockedBy ?? '',
    since: progressing?.status === 'True' ? progressing.lastTransitionTime : null,
    roll: kind === 'cell' ? ((object as Cell).status?.roll ?? null) : null,
    stages: kind === 'rollout' ? ((object as Rollout).status?.stages ?? []) : [],
    /** The status speaks of an older spec. */
    stale: status?.observedGeneration !== metadata.generation,
    conditions: (status?.conditions ?? []).map(
      ({ type, status: value, reason, lastTransitionTime, message }) => ({
        type,
        status: value,
        reason,
        since: lastTransitionTime,
        message,
      }),
    ),
  };
}

function aboutOf(kind: keyof typeof KINDS, object: Explained): string {
  if (kind === 'cell') return (object as Cell).spec.state;
  if (kind === 'platform') return '';
  const { spec, status } = object as Rollout;
  return [called(givenBy(spec)), status?.summary].filter((text) => text !== undefined).join(', ');
}

function inWords(told: Explanation): string {
  const capital = told.kind.slice(0, 1).toUpperCase() + told.kind.slice(1);
  const lines = [`${capital} ${told.name}${told.about && ` (${told.about})`}: ${told.phase}`];
  if (told.stale) lines.push('The operator has not seen the newest spec yet.');
  if (told.nextAction !== '') lines.push(`Next: ${told.nextAction}`);
  if (told.blockedBy !== '') lines.push(`Waits for: ${told.blockedBy}`);
  if (told.since !== null) lines.push(`Since: ${told.since}`);
  if (told.roll)
    lines.push(`Roll: ${told.roll.done} of ${told.roll.total} pods done; ${told.roll.current} is next.`);
  const stages = told.stages.map(({ name, members, reached, bakedAt, readySince, shutSince }) => [
    name,
    `${reached}/${members}`,
    shutSince
      ? `answers badly since ${shutSince}`
      : bakedAt
        ? `passed ${bakedAt}`
        : readySince
          ? 'bakes'
          : '',
  ]);
  const rows = told.conditions.map((one) => [one.type, one.status, one.reason, one.since, one.message]);
  const table = (header: string[], body: string[][]): string =>
    body.length > 0 ? `\n${formatTable(header, body)}` : '';
  return `${lines.join('\n')}\n${table(['STAGE', 'REACHED', 'STATE'], stages)}${table(['CONDITION', 'IS', 'REASON', 'SINCE', 'MESSAGE'], rows)}`;
}
