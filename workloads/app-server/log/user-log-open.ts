// Opening a log: the snapshot, the entries after it, then the fence.
import type { Clock } from '../../common/clock.ts';
import type { EntryCodec, LogEntry, Writer } from './entry-codec.ts';
import type { LogRow, LogStore } from './log-store.ts';
import type { LogMetrics } from './log-metrics.ts';
import { PageLost } from './page-missing.ts';
import { lookAt } from './pages.ts';
import { appendSettled, readWithin } from './settle.ts';
import { unsealSnapshot } from './user-log-snapshot.ts';
import type { Begun, ReadAhead } from './read-ahead.ts';
import { BadSnapshot, type Fold, type Look, type OwnershipGate } from './user-log-types.ts';

/** One page of a replay: a few milliseconds of work between two turns of the event loop, and a bounded answer. */
const REPLAY_PAGE = { limit: 256, maxBytes: 1024 * 1024 };

/** How often a fence may lose before the caller is told to look elsewhere: each loss means that another one is writing. */
const MAX_FENCES = 4;

export type LogParts<S, A> = {
  store: LogStore;
  codec: EntryCodec<A>;
  fold: Fold<S, A>;
  gate: OwnershipGate;
  clock: Clock;
  metrics?: LogMetrics | undefined;
  /** Hears how each append ended: with an error when it is not known to be durable. */
  onStored?: ((error: unknown) => void) | undefined;
  /** Hears of each durable entry, and of the requests that are in it. */
  onAppend?: ((key: string, seq: number, requestIds: readonly string[]) => void) | undefined;
  /** Keys whose snapshots in the store were found to be bad: no use to open them again until there are others. */
  distrusted: Set<string>;
  /** Names the next entry that this process writes. */
  nextWriter: () => Writer;
  /** Is the log served here, or was it moved away? Undefined: it is. */
  isServedHere?: ((state: S) => boolean) | undefined;
};

/** The state of a key as of an entry of its log. */
export type Image<S> = {
  state: S;
  /** The newest entry in it; 0 for a key without a log. */
  seq: number;
  /** The time of that entry. */
  timeMs: number;
  /** What the newest snapshot in the store says; undefined when there is none, or a bad one. */
  saved: { state: S; seq: number; garbage: readonly string[] } | undefined;
  /** Bytes of the entries after the snapshot. */
  unsavedBytes: number;
};

/**
 * Replays a log and makes sure that nobody else can add to what was read.
 *
 * An owner before us may have an append under way that reaches the store after our replay; it would be acknowledged (it
 * is durable) and our image would lack it. So unless the last entry is of our own tenure, a fence takes the next number:
 * the late append then loses, or came first, the fence loses, and we read on. After an entry of our own tenure no fence
 * is needed: whoever owned the key since must fence, too, before it writes anything else. Its fence may still arrive after
 * our replay and makes our image lag behind, but by nothing; and once it has, that server asks its gate before it writes.
 *
 * A key without a log gets no fence, or each question for an unknown address would make a log. The writer of entry 1
 * answers only while it is still the owner instead: see KeyLog.
 *
 * @param trustSnapshot false: replay from the beginning
 * @param ahead what was read before this server became the owner
 * @throws UnreadableEntry, StoreUnavailable, OutcomeUnknown, Misdirected, LeaseLost
 */
export async function openImage<S, A>(
  key: string,
  parts: LogParts<S, A>,
  trustSnapshot: boolean,
  ahead?: ReadAhead<S, A>,
): Promise<Image<S>> {
  const begun = trustSnapshot ? ahead?.take(key) : undefined;
  if (!begun) {
    const replay = new Replay(key, parts);
    const writer = trustSnapshot ? await replay.fromSnapshot() : undefined;
    return await takeOver(key, parts, { replay, writer }, false);
  }
  const savedSeq = begun.replay.image.saved?.seq;
  const [image, snapshot] = await Promise.all([
    takeOver(key, parts, begun, true).catch((error: unknown) => {
      if (error instanceof PageLost) return undefined;
      throw error;
    }),
    readWithin(parts.clock, parts.store.getSnapshot(key), key),
  ]);
  if (image && snapshot?.seq === savedSeq) return image;
  // Another snapshot took the place of the one that it began with, whose pages may be gone.
  return await openImage(key, parts, trustSnapshot);
}

/**
 * Reads on to the end, and fences.
 * @param isOld more may have been written since it was read: the fence tells, where one is needed
 */
async function takeOver<S, A>(
  key: string,
  parts: LogParts<S, A>,
  { replay, writer }: Begun<S, A>,
  isOld: boolean,
): Promise<Image<S>> {
  const { store, codec, gate, clock } = parts;
  const tenure = gate.tenure();
  const { image } = replay;
  let fences = 0;
  for (;;) {
    for (; !replay.atEnd; isOld = false) writer = (await replay.apply(await replay.read())) ?? writer;
    const isOurs = !writer || (writer.server === tenure.server && writer.session === tenure.session);
    // It goes on elsewhere with the next number: nobody adds to it here, so nobody is to be fenced.
    if (isOurs || parts.isServedHere?.(image.state) === false) {
      if (!isOld) return image;
      replay.atEnd = false;
      continue;
    }
    gate.assertOwner(key);
    if (fences++ >= MAX_FENCES) throw gate.redirect(key);
    const fence = { timeMs: Math.max(image.timeMs, clock.wall()), writer: parts.nextWriter(), actions: [] };
    const seq = image.seq + 1;
    const append = { key, seq, entry: codec.encode(fence), bodies: [] };
    const result = await appendSettled(store, clock, append, () => gate.assertOwner(key));
    if (result === 'conflict') {
      replay.atEnd = false;
      continue;
    }
    image.seq = seq;
    image.timeMs = fence.timeMs;
    image.unsavedBytes += append.entry.byteLength;
    return image;
  }
}

function emptyImage<S, A>(fold: Fold<S, A>, key: string): Image<S> {
  return { state: fold.empty(key), seq: 0, timeMs: 0, saved: undefined, unsavedBytes: 0 };
}

/** A log that is read from its beginning, or from a snapshot on. */
export class Replay<S, A> {
  readonly #key: string;
  readonly #parts: Pick<LogParts<S, A>, 'store' | 'codec' | 'fold' | 'clock'>;
  readonly #look: Look;
  readonly image: Image<S>;
  /** True when the last reading came to the end of the log. */
  atEnd = false;

  constructor(key: string, parts: Pick<LogParts<S, A>, 'store' | 'codec' | 'fold' | 'clock'>) {
    this.#key = key;
    this.#parts = parts;
    this.#look = lookAt(parts.store, parts.clock, key);
    this.image = emptyImage(parts.fold, key);
  }

  /**
   * Begins with the snapshot and what follows it, if there is a good one that fits the log.
   * @param last no entry after this one is read
   * @returns who wrote the newest entry; undefined when the replay begins at the beginning
   */
  async fromSnapshot(last = Number.MAX_SAFE_INTEGER): Promise<Writer | undefined> {
    const { store, codec, fold, clock } = this.#parts;
    if (!fold.snapshots) return undefined;
    const stored = await readWithin(clock, store.getSnapshot(this.#key), this.#key);
    if (stored?.format !== fold.snapshots.format) return undefined;
    try {
      const { state, garbage } = fold.snapshots.decode(unsealSnapshot(this.#key, stored));
      // Its own entry is read, too: it says who wrote last, and that the snapshot is of this log.
      const rows = (await this.#read(stored.seq)).filter((row) => row.seq <= last);
      const own = rows[0]?.seq === stored.seq ? rows.shift() : undefined;
      if (!own) return this.#fromBeginning();
      const entry = codec.decode(own.entry);
      const { seq } = stored;
      Object.assign(this.image, { state, seq, timeMs: entry.timeMs, saved: { state, seq, garbage } });
      return (await this.apply(rows)) ?? entry.writer;
    } catch (error) {
      if (!(error instanceof BadSnapshot || error instanceof PageLost)) throw error;
      return this.#fromBeginning();
    }
  }

  #fromBeginning(): undefined {
    Object.assign(this.image, emptyImage(this.#parts.fold, this.#key));
    this.atEnd = false;
  }

  /** The entries after those that were applied. */
  read(): Promise<LogRow[]> {
    return this.#read(this.image.seq + 1);
  }

  async #read(from: number): Promise<LogRow[]> {
    const { store, clock } = this.#parts;
    const rows = await readWithin(clock, store.read(this.#key, from, REPLAY_PAGE), this.#key);
    const bytes = rows.reduce((sum, { entry }) => sum + entry.byteLength, 0);
    this.atEnd = rows.length < REPLAY_PAGE.limit && bytes < REPLAY_PAGE.maxBytes;
    return rows;
  }

  /** @returns who wrote the last of the entries */
  async apply(rows: readonly LogRow[]): Promise<Writer | undefined> {
    const { image } = this;
    let writer: Writer | undefined;
    for (const row of rows) {
      if (row.seq !== image.seq + 1) throw new Error(`the log of ${this.#key} lacks entry ${image.seq + 1}`);
      const entry = this.#parts.codec.decode(row.entry);
      image.state = await this.#look(() => this.#fold(row.seq, entry));
      image.seq = row.seq;
      image.timeMs = entry.timeMs;
      image.unsavedBytes += row.entry.byteLength;
      writer = entry.writer;
    }
    return writer;
  }

  #fold(seq: number, { timeMs, actions }: LogEntry<A>): S {
    let { state } = this.image;
    for (const [index, action] of actions.entries())
      state = this.#parts.fold.apply(state, action, { seq, index, timeMs });
    return state;
  }
}
