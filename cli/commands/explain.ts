import { Command } from 'commander';
import type { Cell } from '../../operator/types.ts';
import { withCell } from '../kubernetes.ts';
import { formatTable, printJson } from '../output.ts';

type Options = { namespace?: string; json?: boolean };

/** `cellctl explain CELL`: how a cell fares, what it waits for and since when. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('tells how a cell fares, what the operator does next, what that waits for and since when')
    .argument('<cell>', 'its name')
    .option('-n, --namespace <namespace>', "its namespace; the kubeconfig's when absent")
    .option('--json', 'prints JSON')
    .action((name: string, options: Options) =>
      withCell(name, options.namespace, async (cell) => {
        const told = explain(cell);
        if (options.json) printJson(told);
        else process.stdout.write(inWords(told));
      }),
    );
}

type Explanation = ReturnType<typeof explain>;

function explain({ metadata, spec, status }: Cell) {
  const progressing = status?.conditions?.find(({ type }) => type === 'Progressing');
  return {
    cell: metadata.name,
    state: spec.state,
    phase: status?.phase ?? 'The operator has not looked at it yet.',
    nextAction: status?.nextAction ?? '',
    blockedBy: status?.blockedBy ?? '',
    since: progressing?.status === 'True' ? progressing.lastTransitionTime : null,
    roll: status?.roll ?? null,
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

function inWords(told: Explanation): string {
  const lines = [`Cell ${told.cell} (${told.state}): ${told.phase}`];
  if (told.stale) lines.push('The operator has not seen the newest spec yet.');
  if (told.nextAction !== '') lines.push(`Next: ${told.nextAction}`);
  if (told.blockedBy !== '') lines.push(`Waits for: ${told.blockedBy}`);
  if (told.since !== null) lines.push(`Since: ${told.since}`);
  if (told.roll)
    lines.push(`Roll: ${told.roll.done} of ${told.roll.total} pods done; ${told.roll.current} is next.`);
  const rows = told.conditions.map((one) => [one.type, one.status, one.reason, one.since, one.message]);
  const table =
    rows.length > 0 ? `\n${formatTable(['CONDITION', 'IS', 'REASON', 'SINCE', 'MESSAGE'], rows)}` : '';
  return `${lines.join('\n')}\n${table}`;
}
