import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { normalizeAddress } from '../../workloads/common/keys.ts';
import { withCells } from '../connect.ts';
import { printJson } from '../output.ts';

/** `cellctl user add ADDRESS`: a new user; the password is read from standard input. */
export function userAddCommand(): Command {
  return new Command('add')
    .description('makes a user; reads the password from standard input')
    .argument('<address>', 'the mailbox address, which is the login, too')
    .option('--name <name>', 'the display name')
    .option('--json', 'prints JSON')
    .action(async (given: string, options: { name?: string; json?: boolean }) => {
      const address = normalizeAddress(given);
      if (!address) throw new Error(`${given} is no address: local@domain is.`);
      const password = (await text(process.stdin)).replace(/\r?\n$/, '');
      if (!password)
        throw new Error('No password on standard input: printf %s PASSWORD | cellctl user add ADDRESS');
      const userId = await withCells((cells) =>
        cells.createUser({ addresses: [address], displayName: options.name ?? address, password }),
      );
      if (options.json) printJson({ address, userId });
      else process.stdout.write(`${address} is user ${userId}\n`);
    });
}
