import { Command } from 'commander';
import { withBlobs, withCells } from '../connect.ts';
import { importUser } from '../export/import-user.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** `cellctl user import DIR`: makes a user again from an export. */
export function userImportCommand(): Command {
  return new Command('import')
    .description('makes a user again from an export: the same id, addresses, messages and states')
    .argument('<folder>', 'what user export wrote')
    .option('--json', 'prints JSON')
    .action((folder: string, options: { json?: boolean }) =>
      withCells((cells) =>
        withBlobs(async (blobs) => {
          const result = await withProgress('Importing', 'entries', options, (progress) =>
            importUser({ cells, blobs }, folder, progress),
          );
          if (options.json) printJson(result);
          else
            process.stdout.write(
              `${result.addresses.join(', ')} is user ${result.userId}, with ${result.seq} entries\n`,
            );
        }),
      ),
    );
}
