import { Command } from 'commander';
import { addressKey, normalizeAddress, userKey } from '../../workloads/common/keys.ts';
import { moveKey } from '../../workloads/common/moves/move-key.ts';
import { assertCell } from '../assert-cell.ts';
import { withCells } from '../connect.ts';
import { findUser } from '../find-user.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** `cellctl user move USER CELL`: moves a user's log while it is used, and that of the address that the user was named by. */
export function userMoveCommand(): Command {
  return new Command('move')
    .description('moves a user to another cell, live; repeat it when it was broken off')
    .argument('<user>', 'a mailbox address or a user id')
    .argument('<cell>', 'the cell to move to')
    .option('--json', 'prints JSON')
    .action((given: string, cell: string, options: { json?: boolean }) =>
      withCells(async (cells) => {
        await assertCell(cells, cell);
        const userId = await findUser(cells, given);
        const moved = await withProgress('copying', 'entries', options, (progress) =>
          moveKey(cells, userKey(userId), cell, (more, of) => {
            progress.total(of);
            progress.add(more);
          }),
        );
        // Mail for the user then needs no other cell; the log of an address has an entry or two.
        const address = normalizeAddress(given);
        if (address !== undefined) await moveKey(cells, addressKey(address), cell);
        if (options.json) printJson({ userId, cell, moved: moved !== undefined, ...moved });
        else
          process.stdout.write(
            moved
              ? `${userId} moved from ${moved.from} to ${cell}: ${moved.entries} entries, ${moved.frozenMs.toFixed(0)} ms without answers.\n`
              : `${userId} is in ${cell} already.\n`,
          );
      }),
    );
}
