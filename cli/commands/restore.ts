import { Command } from 'commander';
import { latestBackup, readManifest } from '../backup/manifest.ts';
import { restoreAll, restoreUser, type RestoreResult } from '../backup/restore-backup.ts';
import { withBackups, withBlobs, withCells } from '../connect.ts';
import { normalizeAddress } from '../../workloads/common/keys.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

type Options = { from?: string; user?: string; at?: string; json?: boolean };

/** `cellctl restore`: brings back users whom the platform does not have. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('brings users of a backup back to a platform that does not have them')
    .option(
      '--from <url>',
      "file:/folder or s3://bucket?endpoint=http://host:port; the platform's own blob store if not given",
    )
    .option('--user <address>', 'only this user')
    .option('--at <id>', 'this backup; the newest of all cells if not given')
    .option('--json', 'prints JSON')
    .action((options: Options) =>
      withCells((cells) =>
        withBlobs((blobs) =>
          withBackups(options.from, blobs, async (source) => {
            const manifest = options.at
              ? await readManifest(source, options.at)
              : await latestBackup(source, null);
            if (!manifest) throw new Error('There is no backup there.');
            const address = options.user === undefined ? undefined : normalizeAddress(options.user);
            if (options.user !== undefined && !address) throw new Error(`${options.user} is no address.`);
            const unit = address === undefined ? 'logs' : 'entries';
            const result = await withProgress('Restoring', unit, options, (progress) =>
              address === undefined
                ? restoreAll({ cells, blobs, source, manifest }, progress)
                : restoreUser({ cells, blobs, source, manifest }, address, progress),
            );
            if (options.json) printJson(result);
            else process.stdout.write(describe(result));
          }),
        ),
      ),
    );
}

function describe({ id, users, entries, skipped }: RestoreResult): string {
  const lines = skipped.map(({ key, why }) => `left out ${key}: ${why}\n`);
  return `${lines.join('')}restored from ${id}: ${users} users with ${entries} entries; ${skipped.length} left out\n`;
}
