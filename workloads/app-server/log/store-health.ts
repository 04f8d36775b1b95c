// Whether the log store does its work: asked by a small read from time to time, and told by each append.
import type { LogStore } from './log-store.ts';

/** One row that is not there, from one server of the store. */
const PROBE_KEY = 'probe';
const PROBE_EVERY_MS = 2_000;
/**
 * A store that fails for so long is broken: a region server's crash and recovery are over by then. A server that is not
 * ready holds up the rolls of its cell, so it should not be so for less.
 */
const BROKEN_AFTER_MS = 30_000;

/** Failures of one kind since their last success. */
type Run = { since: number; last: number; error: string } | undefined;

export class StoreHealth {
  readonly #store: LogStore;
  readonly #brokenAfterMs: number;
  readonly #timer: NodeJS.Timeout;
  #probes: Run;
  #appends: Run;
  /** When the probe under way began. */
  #probing: number | undefined;

  constructor(store: LogStore, times: { probeEveryMs?: number; brokenAfterMs?: number } = {}) {
    this.#store = store;
    this.#brokenAfterMs = times.brokenAfterMs ?? BROKEN_AFTER_MS;
    this.#timer = setInterval(() => void this.#probe(), times.probeEveryMs ?? PROBE_EVERY_MS);
    this.#timer.unref();
  }

  /** @param error undefined when the entry is durable */
  appended(error: unknown): void {
    this.#appends = error === undefined ? undefined : extended(this.#appends, error);
  }

  /** A string says what is wrong. */
  ready(): true | string {
    const now = performance.now();
    if (this.#probing !== undefined && now - this.#probing > this.#brokenAfterMs)
      return 'the log store does not answer';
    if (this.#probes && now - this.#probes.since > this.#brokenAfterMs)
      return `the log store can't be read: ${this.#probes.error}`;
    const appends = this.#appends;
    // Nobody may have written since; that they can't is then an old story.
    const isRecent = appends !== undefined && now - appends.last < this.#brokenAfterMs;
    if (isRecent && now - appends.since > this.#brokenAfterMs)
      return `the log store takes no entries: ${appends.error}`;
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #probe(): Promise<void> {
    if (this.#probing !== undefined) return;
    this.#probing = performance.now();
    try {
      await this.#store.read(PROBE_KEY, 1, { limit: 1, maxBytes: 1 });
      this.#probes = undefined;
    } catch (error) {
      this.#probes = extended(this.#probes, error);
    } finally {
      this.#probing = undefined;
    }
  }
}

function extended(run: Run, error: unknown): Run {
  const now = performance.now();
  return {
    since: run?.since ?? now,
    last: now,
    error: error instanceof Error ? error.message : String(error),
  };
}
