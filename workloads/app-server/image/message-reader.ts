// What an image doesn't keep of a message: its headers and structure, from the log's entry; its bytes, from beside the
// entry or from the blob store. Entries never change, so what was read once may be kept.
import { LRUCache } from 'lru-cache';
import type { BlobStore, ByteRange } from '../../common/blobs/blob-store.ts';
import type { Action, MessageAdded } from '../log/actions.ts';
import type { EntryCodec } from '../log/entry-codec.ts';
import type { LogStore } from '../log/log-store.ts';
import { indexOf, ordinal, seqOf, type Ordinal } from './ids.ts';
import { inParallel } from '../../common/parallel.ts';

/** Entries this far apart are read in one go: passing over a few is cheaper than asking again. */
const MAX_GAP = 16;
/** Reads of the log under way for one call. */
const PARALLEL_RUNS = 8;
/** Bytes of one read of the log. */
const READ_BYTES = 4 * 1024 * 1024;
/** A decoded message takes about so many times the bytes of its entry. */
const DECODED_FACTOR = 3;

/** The log has no such message where the image says: broken, or the user was moved away meanwhile. */
class MessageMissing extends Error {
  override name = 'MessageMissing';
}

/** Reads a message's bytes: all, or a range. @throws MessageMissing; StoreUnavailable, BlobNotFound … */
export type MessageBytes = (range?: ByteRange) => Promise<Uint8Array>;

export class MessageReader {
  readonly #store: LogStore;
  readonly #blobs: BlobStore;
  readonly #codec: EntryCodec<Action>;
  /** By user and message: no entry of it is shared between users. */
  readonly #cache: LRUCache<string, MessageAdded>;

  readonly #asked: ((isHit: boolean) => void) | undefined;

  /** @param options.asked hears whether each message was in memory */
  constructor(options: {
    store: LogStore;
    blobs: BlobStore;
    codec: EntryCodec<Action>;
    cacheBytes: number;
    asked?: (isHit: boolean) => void;
  }) {
    this.#asked = options.asked;
    this.#store = options.store;
    this.#blobs = options.blobs;
    this.#codec = options.codec;
    this.#cache = new LRUCache({ maxSize: Math.max(1, options.cacheBytes) });
  }

  /** @throws MessageMissing; StoreUnavailable */
  async load(key: string, ids: Iterable<Ordinal>): Promise<Map<Ordinal, MessageAdded>> {
    const found = new Map<Ordinal, MessageAdded>();
    const missing = new Set<Ordinal>();
    for (const id of ids) {
      const cached = this.#cache.get(cacheKey(key, id));
      this.#asked?.(cached !== undefined);
      if (cached) found.set(id, cached);
      else missing.add(id);
    }
    if (missing.size === 0) return found;
    const seqs = [...new Set([...missing].map(seqOf))].sort((a, b) => a - b);
    await inParallel(runs(seqs), PARALLEL_RUNS, ([first, last]) =>
      this.#readRun(key, first, last, missing, found),
    );
    for (const id of missing)
      if (!found.has(id)) throw new MessageMissing(`entry ${seqOf(id)} holds no message ${indexOf(id)}`);
    return found;
  }

  async #readRun(
    key: string,
    first: number,
    last: number,
    wanted: ReadonlySet<Ordinal>,
    found: Map<Ordinal, MessageAdded>,
  ): Promise<void> {
    for (let next = first; next <= last;) {
      const rows = await this.#store.read(key, next, { limit: last - next + 1, maxBytes: READ_BYTES });
      const end = rows.at(-1);
      if (!end) return;
      for (const row of rows) {
        const { actions } = this.#codec.decode(row.entry);
        for (const [index, action] of actions.entries()) {
          const id = ordinal({ seq: row.seq, index });
          if (action.type !== 'messageAdded' || !wanted.has(id)) continue;
          found.set(id, action);
          const size = Math.ceil((row.entry.byteLength / actions.length) * DECODED_FACTOR);
          this.#cache.set(cacheKey(key, id), action, { size });
        }
      }
      next = end.seq + 1;
    }
  }

  /** The message's bytes, read when they are asked for; a body that lies in the log is read once. */
  open(key: string, id: Ordinal, { body }: MessageAdded): MessageBytes {
    if (body.kind === 'blob') return (range) => this.#blobs.get(body.sha256, range);
    let whole: Promise<Uint8Array> | undefined;
    return async (range) => {
      const bytes = await (whole ??= this.#readBody(key, id, body.index));
      return range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
    };
  }

  async #readBody(key: string, id: Ordinal, index: number): Promise<Uint8Array> {
    const bytes = await this.#store.readBody(key, seqOf(id), index);
    if (!bytes) throw new MessageMissing(`entry ${seqOf(id)} has no body ${index}`);
    return bytes;
  }
}

function cacheKey(key: string, id: Ordinal): string {
  return `${key}\n${id}`;
}

/** Groups ascending numbers into runs without large gaps. */
function runs(seqs: readonly number[]): [first: number, last: number][] {
  const found: [number, number][] = [];
  for (const seq of seqs) {
    const run = found.at(-1);
    if (run && seq - run[1] <= MAX_GAP) run[1] = seq;
    else found.push([seq, seq]);
  }
  return found;
}
