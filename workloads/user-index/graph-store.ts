// The graph that is served, and its snapshots: loaded at the start, taken over when a new edge list was stored, stored again
// when words have changed, or when the stored watermarks are old.
import type { BlobStore } from '../common/blobs/blob-store.ts';
import type { Logger } from '../common/log.ts';
import { FriendGraph, type Words } from './graph.ts';
import { BadSnapshot, baseVersion, loadBase, loadWords, saveWords } from './snapshots.ts';

/** How soon a new edge list is taken up. */
const LOOK_MS = 5_000;
const RETRY_MS = 1_000;
/** Who starts from a snapshot reads all users who have changed since: that may be so much, when nothing else is new. */
const OLD_WATERMARK_MS = 5 * 60_000;

/** What is said of a snapshot when it is stored. */
type Source = {
  watermarks: () => ReadonlyMap<string, number>;
  /** Are all logs read that there are? What was read in part is not stored: who starts from it would take it for all. */
  isComplete: () => boolean;
};

export class GraphStore {
  readonly #blobs: BlobStore;
  readonly #logger: Logger;
  readonly #snapshotMs: number;
  readonly #ending = new AbortController();
  #graph = new FriendGraph();
  #version: string | undefined;
  #hasWords = false;
  /** Were words said since the last snapshot? */
  #isChanged = false;
  #savedAt = performance.now();
  /** Those of the last snapshot that was loaded or stored; undefined: there is none. */
  #savedWatermarks: ReadonlyMap<string, number> | undefined;
  #source: Source | undefined;
  #keeping: Promise<void> | undefined;

  constructor(options: { blobs: BlobStore; logger: Logger; snapshotMs: number }) {
    this.#blobs = options.blobs;
    this.#logger = options.logger;
    this.#snapshotMs = options.snapshotMs;
  }

  get graph(): FriendGraph {
    return this.#graph;
  }

  /** Was what the logs say known up to some time, when this was opened? */
  get hasSnapshot(): boolean {
    return this.#hasWords;
  }

  say(userId: string, words: Words): void {
    if (this.#graph.say(userId, words)) this.#isChanged = true;
  }

  /**
   * Loads what the blob store has; waits for it while it is away. A snapshot of words that is bad is passed over.
   * @returns how far in time the words are known, by cell
   */
  async open(): Promise<Map<string, number>> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#loadBase();
        const snapshot = await this.#loadWords();
        for (const [userId, words] of snapshot?.words ?? []) this.#graph.say(userId, words);
        this.#hasWords = snapshot !== undefined;
        this.#savedWatermarks = snapshot?.watermarks;
        return snapshot?.watermarks ?? new Map();
      } catch (error) {
        this.#logger.warn({ err: error }, 'the snapshot could not be loaded; again in a second');
        await this.#pause(RETRY_MS);
      }
    }
    return new Map();
  }

  /** From now on takes up new edge lists and stores snapshots. */
  keep(source: Source): void {
    this.#source = source;
    this.#keeping = this.#keep();
  }

  /** Ends the loops. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#keeping;
  }

  /** Stores a last snapshot. */
  async close(): Promise<void> {
    await this.stop();
    await this.#save().catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'the last snapshot could not be stored'),
    );
  }

  async #keep(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#pause(LOOK_MS);
      if (this.#ending.signal.aborted) return;
      try {
        if ((await baseVersion(this.#blobs)) !== this.#version) await this.#loadBase();
        if (performance.now() - this.#savedAt >= this.#snapshotMs) await this.#save();
      } catch (error) {
        this.#logger.warn({ err: error }, 'a snapshot could not be loaded or stored');
      }
    }
  }

  async #loadBase(): Promise<void> {
    const loaded = await loadBase(this.#blobs).catch((error: unknown) => {
      if (!(error instanceof BadSnapshot)) throw error;
      this.#logger.error({ err: error }, 'the edge list in the blob store can not be used: load it again');
      return undefined;
    });
    if (!loaded) return;
    for (const [userId, words] of this.#graph.words()) loaded.graph.say(userId, words);
    this.#graph = loaded.graph;
    this.#version = loaded.version;
    this.#logger.info(
      { users: loaded.graph.ids.size, edges: loaded.graph.base.targets.length / 2 },
      'edge list loaded',
    );
  }

  async #loadWords(): ReturnType<typeof loadWords> {
    try {
      return await loadWords(this.#blobs);
    } catch (error) {
      if (!(error instanceof BadSnapshot)) throw error;
      this.#logger.warn({ err: error }, 'a bad snapshot is passed over: the logs are read');
      return undefined;
    }
  }

  async #save(): Promise<void> {
    const watermarks = this.#source?.watermarks();
    if (!watermarks || !(this.#hasWords || this.#source?.isComplete())) return;
    if (!this.#isChanged && !this.#isOld(watermarks)) return;
    this.#isChanged = false;
    this.#savedAt = performance.now();
    try {
      await saveWords(this.#blobs, this.#graph, watermarks);
      this.#savedWatermarks = watermarks;
    } catch (error) {
      this.#isChanged = true;
      throw error;
    }
  }

  /** Is there no snapshot, or one that is far behind these? */
  #isOld(watermarks: ReadonlyMap<string, number>): boolean {
    const saved = this.#savedWatermarks;
    return !saved || [...watermarks].some(([cell, ms]) => ms - (saved.get(cell) ?? 0) >= OLD_WATERMARK_MS);
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#ending;
    await new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
