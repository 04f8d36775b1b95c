// The graph that is served, and its snapshots: loaded at the start, taken over when a new edge list was stored, stored again
// when words have changed.
import type { BlobStore } from '../common/blobs/blob-store.ts';
import type { Logger } from '../common/log.ts';
import { FriendGraph, type Words } from './graph.ts';
import { BadSnapshot, baseVersion, loadBase, loadWords, saveWords } from './snapshots.ts';

/** How soon a new edge list is taken up. */
const LOOK_MS = 5_000;
const RETRY_MS = 1_000;

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
  #watermarks: (() => ReadonlyMap<string, number>) | undefined;
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
        return snapshot?.watermarks ?? new Map();
      } catch (error) {
        this.#logger.warn({ err: error }, 'the snapshot could not be loaded; again in a second');
        await this.#pause(RETRY_MS);
      }
    }
    return new Map();
  }

  /** From now on takes up new edge lists and stores snapshots. */
  keep(watermarks: () => ReadonlyMap<string, number>): void {
    this.#watermarks = watermarks;
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
    const watermarks = this.#watermarks?.();
    if (!watermarks || !this.#isChanged) return;
    this.#isChanged = false;
    this.#savedAt = performance.now();
    try {
      await saveWords(this.#blobs, this.#graph, watermarks);
    } catch (error) {
      this.#isChanged = true;
      throw error;
    }
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
