// Moves one log to another cell while it is used. Every step can be made again: whoever repeats a move that broke off goes on
// where it ended.
import type { Cells } from '../cell-client/cells.ts';
import { hashKey } from '../hash.ts';
import { LogCopier, movedTo } from './copy-log.ts';

/** So few entries are copied in some milliseconds. */
const SHORT_TAIL = 16;
/** A log that grows faster than it is copied is frozen all the same, after so many rounds. */
const MAX_ROUNDS = 10;

export type Moved = {
  key: string;
  from: string;
  to: string;
  entries: number;
  /** From the last moment in which the old cell could answer to the first in which the new one can. */
  frozenMs: number;
};

/** A log that is being ended in one cell, to go on in another; discovery finishes that when its mover does not. */
export type UnfinishedMove = { key: string; from: string; to: string };

/** @throws Unavailable */
export async function unfinishedMoves(cells: Cells): Promise<UnfinishedMove[]> {
  const exceptions = await cells.discovery.exceptions();
  return exceptions.flatMap(({ key, cell, to }) => (to === undefined ? [] : [{ key, from: cell, to }]));
}

/** Told how many more entries are copied, and now and then how many there are. */
export type OnCopied = (more: number, of: number) => void;

/**
 * Moves a key, whatever its bucket says, and puts that on the map. A move to another cell that was broken off after the log
 * had ended is completed first: nobody serves the key before.
 * @returns undefined when it is there already
 * @throws MoveConflict; Unassigned, Unavailable, UnexpectedAnswer
 */
export async function moveKey(
  cells: Cells,
  key: string,
  to: string,
  onCopied: OnCopied = () => {},
): Promise<Moved | undefined> {
  const from = await cells.discovery.cellOf(key);
  if (from === undefined) throw new Error(`${key} is in no cell.`);
  const halfWay = await movedTo(cells, key, from);
  if (halfWay !== undefined && halfWay !== from) {
    const completed = await moveTo(cells, { key, from, to: halfWay }, onCopied);
    return halfWay === to ? completed : await moveTo(cells, { key, from: halfWay, to }, onCopied);
  }
  if (from !== to) return await moveTo(cells, { key, from, to }, onCopied);
  await cells.discovery.forgetMove(key);
  return undefined;
}

async function moveTo(
  cells: Cells,
  move: { key: string; from: string; to: string },
  onCopied: OnCopied,
): Promise<Moved | undefined> {
  const { discovery } = cells;
  const { key, from, to } = move;
  const settle = async (): Promise<void> => {
    const ofBucket = (await discovery.map()).cellOf(hashKey(key).bucket);
    if (ofBucket === to) await discovery.deleteException(key, from);
    else await discovery.putException(key, to, false, from);
  };
  const moved = await moveLog(cells, move, settle, onCopied);
  if (!moved) await discovery.forgetMove(key);
  return moved;
}

/**
 * Copies a log, ends it in its old cell, copies the rest, and lets `settle` put that on the map. Before it is ended the map
 * says that it will be: a mover that dies just then leaves nobody unserved for long.
 * @returns undefined when there is no such log
 * @throws MoveConflict; Unavailable, UnexpectedAnswer
 */
export async function moveLog(
  cells: Cells,
  { key, from, to }: { key: string; from: string; to: string },
  settle: () => Promise<void>,
  onCopied: OnCopied = () => {},
): Promise<Moved | undefined> {
  const log = new LogCopier(cells, key, from, to);
  const head = await log.sourceHead();
  if (head === 0) return undefined;
  let copied = await log.copied();
  onCopied(copied, head);
  copied = await catchUp(log, copied, head, onCopied);
  await log.prepare();
  // Of what came while the other cell made itself ready, too, little is left to be copied while nobody serves the key.
  copied = await catchUp(log, copied, await log.sourceHead(), onCopied);
  await cells.discovery.noteMove(key, from, to);
  const began = performance.now();
  const last = await log.freeze();
  await log.copy(copied + 1, last, (more) => onCopied(more, last));
  await settle();
  return { key, from, to, entries: last, frozenMs: performance.now() - began };
}

/**
 * Copies until so little is left that it is copied in some milliseconds.
 * @param head the newest entry, as it was a moment ago
 * @returns the newest that is copied
 */
async function catchUp(log: LogCopier, copied: number, head: number, onCopied: OnCopied): Promise<number> {
  let [last, newest] = [copied, head];
  for (let round = 0; round < MAX_ROUNDS && newest - last > SHORT_TAIL; round++) {
    const of = newest;
    last = await log.copy(last + 1, of, (more) => onCopied(more, of));
    newest = await log.sourceHead();
  }
  return last;
}
