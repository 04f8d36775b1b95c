// The parser threads of the process.
import { availableParallelism } from 'node:os';
import type { Logger } from '../../common/log.ts';
import { ParserThread, type ParseStream } from './parser-thread.ts';

/** Beside the event loop; more than some don't pay. */
const MAX_THREADS = 4;

export class Parsers {
  readonly #threads: ParserThread[];

  /** @param deadlineMs how long one message may take */
  constructor(deadlineMs: number, logger: Logger) {
    const count = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
    this.#threads = Array.from({ length: count }, () => new ParserThread(deadlineMs, logger));
  }

  /** A message in the thread that has least to do. */
  open(): ParseStream {
    const [first, ...others] = this.#threads;
    if (!first) throw new Error('there is no parser thread');
    return others.reduce((least, one) => (one.waiting < least.waiting ? one : least), first).open();
  }

  /** Pieces of messages that wait for a thread, or are in one. */
  get waiting(): number {
    return this.#threads.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Not well when no thread starts any more. */
  health(): true | string {
    return this.#threads.some((thread) => thread.starts) || 'no parser thread starts any more';
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}
