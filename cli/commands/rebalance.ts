import { Command, InvalidArgumentError } from 'commander';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { inParallel } from '../../workloads/common/parallel.ts';
import { moveBucket, pendingMoves, type BucketMove } from '../../workloads/common/moves/move-bucket.ts';
import {
  moveKey,
  unfinishedMoves,
  type Moved,
  type UnfinishedMove,
} from '../../workloads/common/moves/move-key.ts';
import { planMoves } from '../../workloads/common/moves/plan.ts';
import { assertCell } from '../assert-cell.ts';
import { withCells } from '../connect.ts';
import { formatTable, printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** Buckets moved at once: each has some keys under way. */
const PARALLEL_BUCKETS = 4;

type Options = { to?: string; buckets?: number; dryRun?: boolean; json?: boolean };

/** `cellctl rebalance`: gives every enabled cell its share of the buckets, live. */
export function rebalanceCommand(): Command {
  return new Command('rebalance')
    .description(
      'moves buckets of users between cells until their shares are even; finishes what was broken off',
    )
    .option('--to <cell>', 'moves to this cell only')
    .option('--buckets <count>', 'moves at most so many', parseCount)
    .option('--dry-run', 'shows what would move')
    .option('--json', 'prints JSON')
    .action((options: Options) =>
      withCells(async (cells) => {
        if (options.to !== undefined) await assertCell(cells, options.to);
        const unfinished = await unfinishedMoves(cells);
        if (!options.dryRun) await finish(cells, unfinished);
        const pending = await pendingMoves(cells);
        const planned = planMoves(await cells.discovery.map(), {
          cells: await enabledCells(cells),
          to: options.to,
          limit: options.buckets,
        });
        const moves = [...pending, ...planned];
        const moved = options.dryRun ? [] : await run(cells, moves, options);
        show({ unfinished, moves, moved }, options);
      }),
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('a whole number, 1 or more.');
  return count;
}

async function enabledCells(cells: Cells): Promise<string[]> {
  const records = await cells.cellRecords();
  return records.filter(({ state }) => state === 'Enabled').map(({ name }) => name);
}

/** Users whose logs ended in one cell and are not yet in the other come first: nobody serves them. */
async function finish(cells: Cells, unfinished: readonly UnfinishedMove[]): Promise<void> {
  await inParallel(unfinished, PARALLEL_BUCKETS, ({ key, to }) => moveKey(cells, key, to));
}

/** Ctrl-C ends it after the keys that are under way; the same command goes on. */
async function run(cells: Cells, moves: readonly BucketMove[], options: Options): Promise<Moved[]> {
  const stopping = new AbortController();
  const onInterrupt = (): void => stopping.abort(new Error('Stopped: the same command goes on from here.'));
  process.once('SIGINT', onInterrupt);
  const moved: Moved[] = [];
  try {
    await withProgress('moving', 'buckets', options, async (progress) => {
      progress.total(moves.length);
      await inParallel(moves, PARALLEL_BUCKETS, async (move) => {
        stopping.signal.throwIfAborted();
        await moveBucket(cells, move, (one) => moved.push(one), stopping.signal);
        progress.add(1);
      });
    });
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  return moved;
}

type Outcome = {
  unfinished: readonly UnfinishedMove[];
  moves: readonly BucketMove[];
  moved: readonly Moved[];
};

function show({ unfinished, moves, moved }: Outcome, { json, dryRun }: Options): void {
  if (json) {
    const longestFreezeMs = Math.max(0, ...moved.map(({ frozenMs }) => frozenMs));
    const logs = moved.length;
    return printJson({ dryRun: dryRun === true, unfinished, buckets: moves, logs, longestFreezeMs });
  }
  if (unfinished.length > 0)
    process.stdout.write(`${unfinished.length} logs whose move was broken off or is under way.\n`);
  if (moves.length === 0) return void process.stdout.write('The shares of the cells are even.\n');
  const counts = new Map<string, number>();
  for (const { from, to } of moves) counts.set(`${from} ${to}`, (counts.get(`${from} ${to}`) ?? 0) + 1);
  const rows = Array.from(counts, ([pair, count]) => [...pair.split(' '), String(count)]);
  process.stdout.write(formatTable(['FROM', 'TO', 'BUCKETS'], rows));
  if (!dryRun) process.stdout.write(`${moved.length} logs moved.\n`);
}
