// Logs that another server is about to hand over, read before it does: what is left for the change of owner is what was
// written since, and the fence.
import { LRUCache } from 'lru-cache';
import { Replay, type LogParts } from './user-log-open.ts';
import type { Writer } from './entry-codec.ts';

/** What they may take of memory together; those read first are forgotten first. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_LOGS = 20_000;
/** A handover that has not come by then does not come, or finds much written since. */
const KEPT_MS = 15_000;
/** What an image takes beside its state. */
const OVERHEAD_BYTES = 1_024;

export type Begun<S, A> = {
  replay: Replay<S, A>;
  /** Who wrote the newest entry in it. */
  writer: Writer | undefined;
};

export class ReadAhead<S, A> {
  readonly #parts: LogParts<S, A>;
  readonly #begun = new LRUCache<string, Begun<S, A>>({
    max: MAX_LOGS,
    maxSize: MAX_BYTES,
    ttl: KEPT_MS,
    sizeCalculation: ({ replay }) => this.#parts.fold.size(replay.image.state).bytes + OVERHEAD_BYTES,
  });

  constructor(parts: LogParts<S, A>) {
    this.#parts = parts;
  }

  /** Reads a log as far as it goes now. Nothing is served from it. @throws StoreUnavailable, UnreadableEntry */
  async read(key: string): Promise<void> {
    if (this.#parts.distrusted.has(key)) return;
    const replay = new Replay(key, this.#parts);
    let writer = await replay.fromSnapshot();
    while (!replay.atEnd) writer = (await replay.apply(await replay.read())) ?? writer;
    this.#begun.set(key, { replay, writer });
  }

  /** Where reading ended, to go on from there; undefined when nothing was read ahead. Each reading is used once. */
  take(key: string): Begun<S, A> | undefined {
    const begun = this.#begun.get(key);
    this.#begun.delete(key);
    return begun;
  }
}
