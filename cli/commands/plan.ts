import { Command } from 'commander';
import { rollGroups } from '../../operator/cell/roll/members.ts';
import { rollPlan, secondsOf } from '../../operator/cell/roll/plan.ts';
import { ownerOf } from '../../operator/resources/owner.ts';
import { TYPES } from '../../operator/runtime/resources.ts';
import type { PodObject, StatefulSetObject } from '../../operator/world.ts';
import { withCell } from '../kubernetes.ts';
import { formatTable, printJson } from '../output.ts';

type Options = { namespace?: string; json?: boolean };

/** `cellctl plan CELL`: which pods the operator makes anew, in what order; nothing is changed. */
export function planCommand(): Command {
  return new Command('plan')
    .description(
      'tells which pods of a cell are made anew, in order, and how long that takes; changes nothing',
    )
    .argument('<cell>', 'its name')
    .option('-n, --namespace <namespace>', "its namespace; the kubeconfig's when absent")
    .option('--json', 'prints JSON')
    .action((name: string, options: Options) =>
      withCell(name, options.namespace, async (cell, api) => {
        // The DNS domain is of no concern to a plan.
        const owner = ownerOf(cell, '');
        const query = { labelSelector: `cellpost.dev/cell=${name}` };
        const [sets, pods] = await Promise.all([
          api.list<StatefulSetObject>(TYPES.statefulSet, query),
          api.list<PodObject>(TYPES.pod, query),
        ]);
        const plan = rollPlan(rollGroups(owner, sets.items, pods.items, new Date()), []);
        const told = {
          cell: name,
          members: plan.order.map(({ group, member }) => ({
            pod: member.name,
            role: group.role.role,
            ready: member.ready,
            seconds: group.role.seconds,
          })),
          seconds: secondsOf(plan),
          // What the servers themselves say, only the operator asks.
          blockedBy: plan.blockedBy?.message ?? cell.status?.blockedBy ?? '',
        };
        if (options.json) printJson(told);
        else process.stdout.write(inWords(told));
      }),
    );
}

type Told = {
  cell: string;
  members: { pod: string; role: string; ready: boolean; seconds: number }[];
  seconds: number;
  blockedBy: string;
};

function inWords({ cell, members, seconds, blockedBy }: Told): string {
  if (members.length === 0) return `All pods of cell ${cell} run what they should.\n`;
  const rows = members.map((one, index) => [
    String(index + 1),
    one.pod,
    one.role,
    one.ready ? 'ready' : 'not ready',
    `${one.seconds} s`,
  ]);
  const end = `About ${seconds} s in all, if every gate is open. A ZooKeeper server that leads goes after the others.\n`;
  return `${formatTable(['', 'POD', 'ROLE', 'STATE', 'ABOUT'], rows)}\n${end}${blockedBy ? `Waits for: ${blockedBy}\n` : ''}`;
}
