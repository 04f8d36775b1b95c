import { Command } from 'commander';
import { normalizeAddress, userKey } from '../../workloads/common/keys.ts';
import { withCells } from '../connect.ts';
import { printJson } from '../output.ts';

/** `cellctl where ADDRESS`: the cell and the node that serve a user now. */
export function whereCommand(): Command {
  return new Command('where')
    .description('says which cell and which app server serve a user')
    .argument('<address>', 'a mailbox address')
    .option('--json', 'prints JSON')
    .action(async (text: string, options: { json?: boolean }) => {
      const address = normalizeAddress(text);
      if (!address) throw new Error(`${text} is no address: local@domain is.`);
      const answer = await withCells(async (cells) => {
        const userId = await cells.resolveAddress(address);
        if (!userId) throw new Error(`Nobody has the address ${address}.`);
        return { address, userId, ...(await cells.where(userKey(userId))) };
      });
      if (options.json) printJson(answer);
      else {
        process.stdout.write(
          `${address} (${answer.userId}) is in cell ${answer.cell} (${answer.cellState}), served by ${answer.node} at ${answer.url}\n`,
        );
      }
    });
}
