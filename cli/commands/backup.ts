import { Command } from 'commander';
import { latestBackup, listBackups, readManifest, type Manifest } from '../backup/manifest.ts';
import { makeBackup } from '../backup/make-backup.ts';
import { verifyBackup } from '../backup/verify-backup.ts';
import { withBackups, withBlobs, withCells } from '../connect.ts';
import { formatTable, printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { formatBytes } from '../times.ts';

const WHERE =
  "file:/folder or s3://bucket?endpoint=http://host:port; the platform's own blob store if not given";

/** `cellctl backup`: makes a backup; `list` and `verify` look at those there are. */
export function backupCommand(): Command {
  return new Command('backup')
    .description('backs users up: of each log what is new since the backup before, and the blobs')
    .enablePositionalOptions()
    .option('--to <url>', WHERE)
    .option('--cell <name>', 'only users of this cell')
    .option('--full', 'writes everything anew: for when verify finds damage in the backups before')
    .option('--json', 'prints JSON')
    .action((options: { to?: string; cell?: string; full?: boolean; json?: boolean }) =>
      withCells((cells) =>
        withBlobs((blobs) =>
          withBackups(options.to, blobs, async (target) => {
            const made = await withProgress('Backing up', 'logs', options, (progress) =>
              makeBackup(
                { cells, blobs, target, cell: options.cell ?? null, full: options.full ?? false },
                progress,
              ),
            );
            if (options.json) printJson(summary(made));
            else process.stdout.write(describe(made));
          }),
        ),
      ),
    )
    .addCommand(listCommand())
    .addCommand(verifyCommand());
}

function listCommand(): Command {
  return new Command('list')
    .description('lists backups, the newest last')
    .option('--from <url>', WHERE)
    .option('--json', 'prints JSON')
    .action((options: { from?: string; json?: boolean }) =>
      withBackups(options.from, undefined, async (store) => {
        const manifests: Manifest[] = [];
        for (const id of await listBackups(store)) manifests.push(await readManifest(store, id));
        if (options.json) {
          printJson(manifests.map(summary));
          return;
        }
        process.stdout.write(
          formatTable(
            ['BACKUP', 'CELL', 'LOGS', 'ENTRIES', 'CHANGED', 'ADDED'],
            manifests.map(({ id, cell, keys, entries, added }) => [
              id,
              cell ?? 'all',
              String(keys),
              String(entries),
              String(added.keys),
              formatBytes(addedBytes(added)),
            ]),
          ),
        );
      }),
    );
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('reads a whole backup and checks every hash')
    .argument('[id]', 'the newest of all cells if not given')
    .option('--from <url>', WHERE)
    .option('--json', 'prints JSON')
    .action((id: string | undefined, options: { from?: string; json?: boolean }) =>
      withBackups(options.from, undefined, async (store) => {
        const manifest = id === undefined ? await latestBackup(store, null) : await readManifest(store, id);
        if (!manifest) throw new Error('There is no backup there.');
        const result = await withProgress('Verifying', 'logs', options, (progress) =>
          verifyBackup(store, manifest, progress),
        );
        if (options.json) printJson(result);
        else
          process.stdout.write(
            `backup ${result.id} is whole: ${result.keys} logs, ${result.entries} entries, ${result.blobs} blobs, ${formatBytes(result.bytes)}\n`,
          );
      }),
    );
}

function describe({ id, keys, entries, added }: Manifest): string {
  return `backup ${id}: ${keys} logs with ${entries} entries; new are ${added.entries} entries of ${added.keys} logs and ${added.blobs} blobs, ${formatBytes(addedBytes(added))} written\n`;
}

/** What programs get: the index is of no use to them. */
function summary({ index, ...manifest }: Manifest): Record<string, unknown> {
  return { ...manifest, parts: index.length };
}

function addedBytes({ segmentBytes, indexBytes, blobBytes }: Manifest['added']): number {
  return segmentBytes + indexBytes + blobBytes;
}
