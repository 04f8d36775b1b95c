import { Command } from 'commander';
import { normalizeAddress } from '../../workloads/common/keys.ts';
import { withCells } from '../connect.ts';
import { findUser } from '../find-user.ts';
import { printJson } from '../output.ts';

type Options = { json?: boolean };

const USER = 'an address of the user, or the user id';
const ADDRESS = 'a mailbox address, or a phone number (+49 30 123456)';

/** `cellctl user alias list | add | move | remove`: further addresses and phone numbers of users. Each may be repeated. */
export function userAliasCommand(): Command {
  const command = new Command('alias').description('further addresses and phone numbers of users');
  command
    .command('list')
    .description('the addresses of a user; the first is the login')
    .argument('<user>', USER)
    .option('--json', 'prints JSON')
    .action((user: string, options: Options) =>
      withCells(async (cells) => {
        const userId = await findUser(cells, user);
        const addresses = await cells.aliases.list(userId);
        if (!addresses) throw new Error(`There is no user ${userId}.`);
        say(options, { userId, addresses }, addresses.join('\n'));
      }),
    );
  command
    .command('add')
    .description('gives a user an address that is free')
    .argument('<user>', USER)
    .argument('<address>', ADDRESS)
    .option('--json', 'prints JSON')
    .action((user: string, given: string, options: Options) =>
      withCells(async (cells) => {
        const address = parseAddress(given);
        const userId = await findUser(cells, user);
        await cells.aliases.add(address, userId);
        say(options, { userId, address }, `${address} is an address of user ${userId}.`);
      }),
    );
  command
    .command('move')
    .description('takes an address from whoever has it and gives it to a user')
    .argument('<address>', ADDRESS)
    .argument('<user>', USER)
    .option('--json', 'prints JSON')
    .action((given: string, user: string, options: Options) =>
      withCells(async (cells) => {
        const address = parseAddress(given);
        const userId = await findUser(cells, user);
        const from = await cells.aliases.move(address, userId);
        const was = from === undefined ? 'has it already' : `has it now; user ${from} had it`;
        say(options, { userId, address, from: from ?? null }, `${address}: user ${userId} ${was}.`);
      }),
    );
  command
    .command('remove')
    .description('takes an address from a user; it is free then')
    .argument('<user>', USER)
    .argument('<address>', ADDRESS)
    .option('--json', 'prints JSON')
    .action((user: string, given: string, options: Options) =>
      withCells(async (cells) => {
        const address = parseAddress(given);
        const userId = await findUser(cells, user);
        const removed = await cells.aliases.remove(address, userId);
        const text = removed ? 'is nobody’s now' : `is no address of user ${userId}`;
        say(options, { userId, address, removed }, `${address} ${text}.`);
      }),
    );
  return command;
}

function parseAddress(given: string): string {
  const address = normalizeAddress(given);
  if (address === undefined)
    throw new Error(
      `${given} is neither a mailbox address (local@domain) nor a phone number (+49 30 123456).`,
    );
  return address;
}

function say({ json }: Options, object: object, text: string): void {
  if (json) printJson(object);
  else process.stdout.write(`${text}\n`);
}
