import { Command } from 'commander';
import type { BlobId, BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { sweepBlobs, type SweepResult } from '../../workloads/common/blobs/sweep.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { readBaseReferences } from '../../workloads/user-index/base-snapshot.ts';
import { readWordReferences } from '../../workloads/user-index/words-snapshot.ts';
import { readBackupReferences } from '../backup/references.ts';
import { withBlobs, withCells } from '../connect.ts';
import { readBlobReferences } from '../log/blob-references.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { formatBytes, parseDuration } from '../times.ts';

const DEFAULT_GRACE_MS = 24 * 3_600_000;

type Options = { grace: number; dryRun?: boolean; json?: boolean };

/** `cellctl blobs sweep`: collects blobs that no log refers to. */
export function blobsSweepCommand(): Command {
  return new Command('sweep')
    .description(
      'sets blobs aside that no log refers to; deletes those that an earlier sweep set aside and that nothing refers to still',
    )
    .option(
      '--grace <duration>',
      'how old a blob must be to be set aside, and how long it then waits to be deleted: 24h, 7d',
      parseDuration,
      DEFAULT_GRACE_MS,
    )
    .option('--dry-run', 'says what would be done, and does nothing')
    .option('--json', 'prints JSON')
    .action((options: Options) =>
      withCells((cells) =>
        withBlobs(async (store) => {
          const result = await withProgress('Reading logs', 'logs', options, (progress) =>
            sweepBlobs({
              store,
              references: references(cells, store, () => progress.add(1)),
              graceMs: options.grace,
              dryRun: options.dryRun ?? false,
            }),
          );
          if (options.json) printJson(result);
          else process.stdout.write(describe(result, options.dryRun ?? false));
        }),
      ),
    );
}

async function* references(cells: Cells, store: BlobStore, onKey: () => void): AsyncGenerator<BlobId> {
  yield* readBlobReferences(cells, onKey);
  yield* readBackupReferences(store);
  yield* await readBaseReferences(store);
  yield* await readWordReferences(store);
}

function describe({ found, setAside, takenBack, deleted }: SweepResult, dryRun: boolean): string {
  const line = (what: string, { blobs, bytes }: { blobs: number; bytes: number }): string =>
    `${what.padEnd(34)}${String(blobs).padStart(10)} blobs  ${formatBytes(bytes)}\n`;
  const would = dryRun ? 'would be ' : '';
  return [
    line('found', found),
    line(`${would}set aside, unreferenced`, setAside),
    line(`${would}taken back, referenced again`, takenBack),
    line(`${would}deleted, set aside before`, deleted),
  ].join('');
}
