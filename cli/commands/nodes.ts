import { Command } from 'commander';
import { withCells } from '../connect.ts';
import { formatTable, printJson } from '../output.ts';

/** `cellctl nodes`: the app servers of every cell. */
export function nodesCommand(): Command {
  return new Command('nodes')
    .description('lists the app servers of every cell: state, address, process, open users')
    .option('--json', 'prints JSON')
    .action(async (options: { json?: boolean }) => {
      const nodes = await withCells((cells) => cells.nodes());
      if (options.json) {
        printJson(nodes);
        return;
      }
      process.stdout.write(
        formatTable(
          ['CELL', 'NODE', 'STATE', 'ADDRESS', 'PID', 'USERS'],
          nodes.map((node) => [
            node.cell,
            node.node,
            node.state,
            node.address,
            String(node.pid),
            node.users === undefined ? '?' : String(node.users),
          ]),
        ),
      );
    });
}
