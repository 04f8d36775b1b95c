// Opening a log: replay, then the fence.
import type { Clock } from '../../common/clock.ts';
import type { EntryCodec, Writer } from './entry-codec.ts';
import type { LogStore } from './log-store.ts';
import { appendSettled, readWithin } from './settle.ts';
import type { Fold, OwnershipGate } from './user-log-types.ts';

/** One page of a replay: a few milliseconds of work between two turns of the event loop, and a bounded answer. */
const REPLAY_PAGE = { limit: 1000, maxBytes: 1024 * 1024 };

/** How often a fence may lose before the caller is told to look elsewhere: each loss means that another one is writing. */
const MAX_FENCES = 4;

export type LogParts<S, A> = {
  store: LogStore;
  codec: EntryCodec<A>;
  fold: Fold<S, A>;
  gate: OwnershipGate;
  clock: Clock;
  /** Names the next entry that this process writes. */
  nextWriter: () => Writer;
};

/** The state of a key as of an entry of its log. */
export type Image<S> = {
  state: S;
  /** The newest entry in it; 0 for a key without a log. */
  seq: number;
  /** The time of that entry. */
  timeMs: number;
  sizeBytes: number;
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
 * @throws UnreadableEntry, StoreUnavailable, OutcomeUnknown, Misdirected, LeaseLost
 */
export async function openImage<S, A>(key: string, parts: LogParts<S, A>): Promise<Image<S>> {
  const { store, codec, fold, gate, clock } = parts;
  const tenure = gate.tenure();
  // A snapshot would take the place of this beginning.
  const image: Image<S> = { state: fold.empty(key), seq: 0, timeMs: 0, sizeBytes: 0 };
  let writer: Writer | undefined;
  let fences = 0;
  for (;;) {
    const rows = await readWithin(clock, store.read(key, image.seq + 1, REPLAY_PAGE), key);
    for (const row of rows) {
      if (row.seq !== image.seq + 1) throw new Error(`the log of ${key} lacks entry ${image.seq + 1}`);
      const entry = codec.decode(row.entry);
      applyEntry(fold, image, row.seq, entry.timeMs, entry.actions);
      writer = entry.writer;
    }
    if (rows.length > 0) continue;
    if (!writer || (writer.server === tenure.server && writer.session === tenure.session)) break;
    gate.assertOwner(key);
    if (fences++ >= MAX_FENCES) throw gate.redirect(key);
    const fence = { timeMs: Math.max(image.timeMs, clock.wall()), writer: parts.nextWriter(), actions: [] };
    const seq = image.seq + 1;
    const append = { key, seq, entry: codec.encode(fence), bodies: [] };
    const result = await appendSettled(store, clock, append, () => gate.assertOwner(key));
    if (result === 'conflict') continue;
    applyEntry(fold, image, seq, fence.timeMs, []);
    break;
  }
  image.sizeBytes = fold.sizeBytes(image.state);
  return image;
}

function applyEntry<S, A>(
  fold: Fold<S, A>,
  image: Image<S>,
  seq: number,
  timeMs: number,
  actions: readonly A[],
): void {
  for (const [index, action] of actions.entries()) fold.apply(image.state, action, { seq, index, timeMs });
  image.seq = seq;
  image.timeMs = timeMs;
}
