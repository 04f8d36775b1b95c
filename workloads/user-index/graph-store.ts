// The graph that is served, and its snapshots: loaded at the start, taken over when a new edge list was stored, stored again
// when words have changed, or when the stored watermarks are old.
import type { BlobStore } from '../common/blobs/blob-store.ts';
import type { Logger } from '../common/log.ts';
import { FriendGraph, type Words } from './graph.ts';
import { baseVersion, loadBase } from './base-snapshot.ts';
import { numbersIn, renumbered } from './renumbering.ts';
import { BadSnapshot } from './snapshot-parts.ts';
import { Turns } from './turns.ts';
import { loadWords, WordsSaver } from './words-snapshot.ts';

/** How soon a new edge list is taken up. */
const LOOK_MS = 5_000;
const RETRY_MS = 1_000;
/** Who starts from a snapshot reads all users who have changed since: that may be so much, when nothing else is new. */
const OLD_WATERMARK_MS = 5 * 60_000;
/** Another replica's snapshot is left alone until it has missed a turn or two. */
const OTHERS_TURNS = 2;
/** To store takes at most a twentieth of the time. */
const MIN_REST = 20;

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
  readonly #saver: WordsSaver;
  #graph = new FriendGraph();
  /** While words are moved to another graph: who has said something new meanwhile. */
  #late: Set<number> | undefined;
  #version: string | undefined;
  #hasWords = false;
  /** Were words said since the last snapshot? */
  #isChanged = false;
  #saveAt: number;
  /** Those of the last snapshot that was loaded or stored; undefined: there is none. */
  #savedWatermarks: ReadonlyMap<string, number> | undefined;
  #source: Source | undefined;
  #keeping: Promise<void> | undefined;

  constructor(options: { blobs: BlobStore; logger: Logger; snapshotMs: number }) {
    this.#blobs = options.blobs;
    this.#logger = options.logger;
    this.#snapshotMs = options.snapshotMs;
    this.#saver = new WordsSaver(options.blobs);
    this.#saveAt = performance.now() + options.snapshotMs;
  }

  get graph(): FriendGraph {
    return this.#graph;
  }

  /** Was what the logs say known up to some time, when this was opened? */
  get hasSnapshot(): boolean {
    return this.#hasWords;
  }

  say(userId: string, words: Words): void {
    const user = this.#graph.say(userId, words);
    if (user === undefined) return;
    this.#isChanged = true;
    this.#saver.note(user);
    this.#late?.add(user);
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
        if (snapshot) this.#graph = snapshot.graph;
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

  /** Stores what was said, if that is new. Not to be called while it is under way. */
  async save(): Promise<void> {
    const watermarks = this.#source?.watermarks();
    if (!watermarks || !(this.#hasWords || this.#source?.isComplete())) return;
    if (!this.#isChanged && !this.#isOld(watermarks)) return;
    const beganAt = performance.now();
    const wasChanged = this.#isChanged;
    this.#isChanged = false;
    try {
      if (await this.#saver.save(this.#graph, watermarks, OTHERS_TURNS * this.#snapshotMs))
        this.#savedWatermarks = watermarks;
      else this.#isChanged ||= wasChanged;
    } catch (error) {
      this.#isChanged = true;
      throw error;
    } finally {
      const endedAt = performance.now();
      this.#saveAt = endedAt + Math.max(this.#snapshotMs, (endedAt - beganAt) * MIN_REST);
    }
  }

  /** Ends the loops. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#keeping;
  }

  /** Stores a last snapshot. */
  async close(): Promise<void> {
    await this.stop();
    await this.save().catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'the last snapshot could not be stored'),
    );
  }

  async #keep(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#pause(LOOK_MS);
      if (this.#ending.signal.aborted) return;
      try {
        await this.look();
        if (performance.now() >= this.#saveAt) await this.save();
      } catch (error) {
        this.#logger.warn({ err: error }, 'a snapshot could not be loaded or stored');
      }
    }
  }

  /** Takes up a new edge list, if there is one. Not to be called while it is under way, nor while words are stored. */
  async look(): Promise<void> {
    if ((await baseVersion(this.#blobs)) !== this.#version) await this.#loadBase();
  }

  async #loadBase(): Promise<void> {
    const loaded = await loadBase(this.#blobs).catch((error: unknown) => {
      if (!(error instanceof BadSnapshot)) throw error;
      this.#logger.error({ err: error }, 'the edge list in the blob store can not be used: load it again');
      return undefined;
    });
    if (!loaded) return;
    await this.#moveTo(loaded.graph);
    this.#version = loaded.version;
    this.#logger.info(
      { users: loaded.graph.ids.size, edges: loaded.graph.base.targets.length / 2 },
      'edge list loaded',
    );
  }

  /** Serves a graph with another edge list, when it has all that was said. */
  async #moveTo(graph: FriendGraph): Promise<void> {
    const { ids, words } = this.#graph;
    const numberOf = numbersIn(graph.ids, ids);
    const nothing = { added: new Uint32Array(), removed: new Uint32Array() };
    const move = (user: number): boolean =>
      graph.words.set(numberOf(user), renumbered(words.get(user) ?? nothing, numberOf));
    const late = (this.#late = new Set());
    const turns = new Turns();
    for (const user of words.users()) {
      move(user);
      if (turns.isOver()) await turns.next();
    }
    for (const user of late) {
      late.delete(user);
      move(user);
      if (turns.isOver()) await turns.next();
    }
    this.#late = undefined;
    this.#graph = graph;
  }

  async #loadWords(): ReturnType<typeof loadWords> {
    try {
      return await loadWords(this.#blobs, this.#graph);
    } catch (error) {
      if (!(error instanceof BadSnapshot)) throw error;
      this.#logger.warn({ err: error }, 'a bad snapshot is passed over: the logs are read');
      return undefined;
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
