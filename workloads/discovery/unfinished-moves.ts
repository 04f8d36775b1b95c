// Finishes moves whose mover died. Before a mover ends a log it notes that on the map; a note that stays longer than any mover
// needs is taken up here, so that nobody is left unserved until a person repeats the command (ADR 22).
import type { Logger } from '../common/log.ts';
import { inParallel } from '../common/parallel.ts';

/** From a note to the new place on the map takes a mover a tenth of a second, and little more under load. */
const PATIENCE_MS = 4_000;
/** Replicas seldom take up the same note at once; that would do no harm. */
const SPREAD_MS = 1_000;
const CHECK_MS = 500;
/** A cell that can't take the log now is asked again then. */
const RETRY_MS = 5_000;
const PARALLEL = 4;

type Move = { from: string; to: string };
type Noted = Move & { due: number };

export type UnfinishedMovesOptions = {
  /** Takes every step of the move that is left, as moveKey does. */
  finish: (key: string, to: string) => Promise<unknown>;
  logger: Logger;
};

export class UnfinishedMoves {
  readonly #options: UnfinishedMovesOptions;
  #noted = new Map<string, Noted>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: UnfinishedMovesOptions) {
    this.#options = options;
  }

  /** @param moves all that the map has now */
  update(moves: ReadonlyMap<string, Move>): void {
    const before = this.#noted;
    this.#noted = new Map(
      Array.from(moves, ([key, { from, to }]) => {
        const known = before.get(key);
        if (known?.from === from && known.to === to) return [key, known];
        return [key, { from, to, due: performance.now() + PATIENCE_MS + Math.random() * SPREAD_MS }];
      }),
    );
    this.#schedule();
  }

  /** Takes up nothing more. A step under way needs no waiting for: the note is still there for another. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed || this.#timer || this.#noted.size === 0) return;
    this.#timer = setTimeout(() => {
      void this.#finishDue().finally(() => {
        this.#timer = undefined;
        this.#schedule();
      });
    }, CHECK_MS);
  }

  async #finishDue(): Promise<void> {
    const { finish, logger } = this.#options;
    const due = [...this.#noted].filter(([, { due }]) => due <= performance.now());
    await inParallel(due, PARALLEL, async ([key, noted]) => {
      if (this.#closed || this.#noted.get(key) !== noted) return;
      const move = { key, from: noted.from, to: noted.to };
      try {
        await finish(key, noted.to);
        logger.info(move, 'a move that was broken off is finished');
      } catch (error) {
        logger.warn({ ...move, err: error }, 'a move that was broken off can not be finished yet');
      }
      noted.due = performance.now() + RETRY_MS;
    });
  }
}
