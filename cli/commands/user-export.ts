import { Command } from 'commander';
import { withBlobs, withCells } from '../connect.ts';
import { exportUser } from '../export/export-user.ts';
import { findUser } from '../find-user.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** `cellctl user export ADDRESS DIR`: all of a user in a folder. */
export function userExportCommand(): Command {
  return new Command('export')
    .description(
      "writes a user's mailboxes as mbox files, and the log with its blobs, from which import makes the user again",
    )
    .argument('<user>', 'a mailbox address or a user id')
    .argument('<folder>', 'a folder that is empty or not there')
    .option('--json', 'prints JSON')
    .action((given: string, folder: string, options: { json?: boolean }) =>
      withCells((cells) =>
        withBlobs(async (blobs) => {
          const userId = await findUser(cells, given);
          const result = await withProgress('Exporting', 'entries', options, (progress) =>
            exportUser({ source: cells, blobs, userId, folder }, progress),
          );
          if (options.json) printJson(result);
          else
            process.stdout.write(
              `${given} as of entry ${result.seq}: ${result.emails} messages in ${result.mailboxes} mailboxes, ${result.blobs} blobs, in ${folder}\n`,
            );
        }),
      ),
    );
}
