// kill -9 of the real `cellctl user move` at one step after another; who finishes what it began is discovery.
import { once } from 'node:events';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { LogCopier, movedTo } from '../../workloads/common/moves/copy-log.ts';
import { unfinishedMoves } from '../../workloads/common/moves/move-key.ts';
import { spawnCellctl } from '../support/cellctl.ts';
import { until } from '../support/wait.ts';
import type { MoveLoad } from './move-load.ts';

const WAIT_MS = 60_000;
/** Often enough to catch a mover between two of its steps. */
const WATCH_MS = 2;

export const otherCell = (cell: string): string => (cell === 'a' ? 'b' : 'a');

type Moving = {
  cells: Cells;
  /** Of the user whose address the load has. */
  key: string;
  /** By which cellctl finds the platform. */
  env: NodeJS.ProcessEnv;
  load: MoveLoad;
  say: (line: string) => void;
};

/**
 * Moves the user between cells a and b; whichever mover is killed, the user is served where the map says.
 * @returns how many movers had not ended by themselves
 */
export async function killMovers({ cells, key, env, load, say }: Moving): Promise<number> {
  let killed = 0;
  const cellOfUser = async (): Promise<string> => (await cells.discovery.cellOf(key)) ?? '';
  for (const [step, isDone] of Object.entries(stepsOf(cells, key))) {
    const from = await cellOfUser();
    const to = otherCell(from);
    const copiedBefore = await lengthIn(cells, key, to);
    const mover = spawnCellctl(['user', 'move', load.user, to], env);
    const exited = once(mover, 'exit');
    await until(async () => mover.exitCode !== null || (await isDone(from, copiedBefore)), {
      timeoutMs: WAIT_MS,
      what: step,
      intervalMs: WATCH_MS,
    });
    mover.kill('SIGKILL');
    await exited;
    if (mover.signalCode === 'SIGKILL') killed++;
    await until(async () => (await unfinishedMoves(cells)).length === 0, {
      timeoutMs: WAIT_MS,
      what: 'the move to be finished',
    });
    const cell = await cellOfUser();
    await load.passes(3);
    say(`killed when ${step}: ${cell === from ? 'not moved' : 'moved'}`);
  }
  return killed;
}

/** What a mover has done, as others see it. */
function stepsOf(
  cells: Cells,
  key: string,
): Record<string, (from: string, copiedBefore: number) => Promise<boolean>> {
  return {
    'it has begun to copy the log': async (from, copiedBefore) =>
      (await lengthIn(cells, key, otherCell(from))) > copiedBefore,
    'it has noted the move': async () => (await unfinishedMoves(cells)).length > 0,
    'it has ended the log': async (from) => (await movedTo(cells, key, from)) === otherCell(from),
  };
}

/** Entries of the log that a cell has. */
function lengthIn(cells: Cells, key: string, cell: string): Promise<number> {
  return new LogCopier(cells, key, cell, otherCell(cell)).sourceHead();
}
