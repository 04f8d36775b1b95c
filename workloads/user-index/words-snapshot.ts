// What the logs said, in the blob store: the ids of users, and a record for each who said something, as words lie in memory.
// Of a user with several records the last one counts, so that mostly only what is new is stored.
import { z } from 'zod';
import type { BlobId, BlobStore } from '../common/blobs/blob-store.ts';
import { FriendGraph } from './graph.ts';
import { renumbered } from './renumbering.ts';
import {
  BadSnapshot,
  blobId,
  bytesOf,
  eachLine,
  idLines,
  numbersOf,
  parse,
  putParts,
  readBlobs,
  readIds,
} from './snapshot-parts.ts';
import { Turns } from './turns.ts';
import { recordAt, type WordLists, wordsOf } from './word-lists.ts';

const WORDS = 'user-index-words.json';
/** Of format 1 the blobs have a line of JSON for each user: it is read, and no longer written. */
const LINES = 1;
const RECORDS = 2;
/** All is stored anew when what came later is so much of the first whole, */
const MAX_LATER = 1 / 4;
/** or this number of blobs: a start reads each. */
const MAX_BLOBS = 500;

const watermarks = z.record(z.string(), z.number());
const linesDocument = z.object({ format: z.literal(LINES), watermarks, blobs: z.array(blobId) });
const recordsDocument = z.object({
  format: z.literal(RECORDS),
  watermarks,
  users: z.number().int().min(0),
  idBlobs: z.array(blobId),
  blobs: z.array(blobId),
});
const wordsDocument = z.discriminatedUnion('format', [linesDocument, recordsDocument]);
const wordsLine = z.tuple([z.string(), z.array(z.string()), z.array(z.string())]);

type Watermarks = ReadonlyMap<string, number>;

/** What lies in the store of one graph's words. */
type Stored = {
  words: WordLists;
  document: z.infer<typeof recordsDocument>;
  wholeBytes: number;
  laterBytes: number;
};

/** Stores words again and again. Requests are answered meanwhile. */
export class WordsSaver {
  readonly #store: BlobStore;
  #stored: Stored | undefined;
  /** Who has said something new since. */
  readonly #changed = new Set<number>();

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** Says that a user's words are to be stored. */
  note(user: number): void {
    if (this.#stored) this.#changed.add(user);
  }

  /**
   * What is stored is at least as new as the watermarks: words may change meanwhile, and whoever starts from it asks again
   * for what came after them.
   * @param freshMs what another replica has stored is left alone while it is no further behind these watermarks: so one
   * of them goes on storing what is new, and a sweep can't take what the other's document does not name
   * @returns whether it was stored
   */
  async save(graph: FriendGraph, marks: Watermarks, freshMs: number): Promise<boolean> {
    const before = this.#stored;
    const present = await this.#store.documents.get(WORDS);
    const isOwn = present && before && Buffer.from(present).equals(documentBytes(before.document));
    if (present && !isOwn && isFresh(present, marks, freshMs)) return false;
    const isMore = isOwn && before.words === graph.words && hasRoom(before);
    const users = isMore ? [...this.#changed] : graph.words.users();
    this.#changed.clear();
    // From now on it is noted who changes; if this fails, all is stored the next time.
    this.#stored = { words: graph.words, document: emptyDocument(), wholeBytes: 0, laterBytes: 0 };
    try {
      this.#stored = await this.#put(graph, marks, users, isMore ? before : undefined);
      return true;
    } catch (error) {
      this.#stored = undefined;
      this.#changed.clear();
      throw error;
    }
  }

  async #put(
    graph: FriendGraph,
    marks: Watermarks,
    users: Iterable<number>,
    before: Stored | undefined,
  ): Promise<Stored> {
    const records = await putParts(this.#store, recordsOf(graph.words, users));
    // After the records, so that whoever is named in them is there.
    const { size } = graph.ids;
    const ids = await putParts(this.#store, idLines(graph.ids, before?.document.users ?? 0, size));
    const document: z.infer<typeof recordsDocument> = {
      format: RECORDS,
      watermarks: Object.fromEntries(marks),
      users: size,
      idBlobs: [...(before?.document.idBlobs ?? []), ...ids.blobs],
      blobs: [...(before?.document.blobs ?? []), ...records.blobs],
    };
    await this.#store.documents.put(WORDS, documentBytes(document));
    const { sizeBytes } = records;
    return before
      ? { ...before, document, laterBytes: before.laterBytes + sizeBytes }
      : { words: graph.words, document, wholeBytes: sizeBytes, laterBytes: 0 };
  }
}

function emptyDocument(): z.infer<typeof recordsDocument> {
  return { format: RECORDS, watermarks: {}, users: 0, idBlobs: [], blobs: [] };
}

function documentBytes(document: z.infer<typeof recordsDocument>): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function isFresh(present: Uint8Array, marks: Watermarks, freshMs: number): boolean {
  try {
    const stored = parse(recordsDocument, present).watermarks;
    return [...marks].every(([cell, ms]) => ms - (stored[cell] ?? 0) <= freshMs);
  } catch {
    // A damaged one, or one of another version: it is replaced.
    return false;
  }
}

function hasRoom({ document, wholeBytes, laterBytes }: Stored): boolean {
  const { blobs, idBlobs } = document;
  return laterBytes <= wholeBytes * MAX_LATER && blobs.length + idBlobs.length < MAX_BLOBS;
}

function* recordsOf(words: WordLists, users: Iterable<number>): Generator<Uint8Array, void, undefined> {
  // A copy: the record may become garbage before it is written.
  for (const user of users) yield Buffer.from(bytesOf(words.record(user)));
}

/**
 * @param graph its words are not looked at
 * @returns the graph with the stored words over its edge list; undefined when there are none
 * @throws BadSnapshot; the store's errors
 */
export async function loadWords(
  store: BlobStore,
  { ids, base }: FriendGraph,
): Promise<{ graph: FriendGraph; watermarks: Map<string, number> } | undefined> {
  const bytes = await store.documents.get(WORDS);
  if (!bytes) return undefined;
  const document = parse(wordsDocument, bytes);
  const graph = new FriendGraph(ids, base);
  if (document.format === LINES) await loadLines(store, document.blobs, graph);
  else await loadRecords(store, document, graph);
  return { graph, watermarks: new Map(Object.entries(document.watermarks)) };
}

async function loadRecords(
  store: BlobStore,
  { users, idBlobs, blobs }: z.infer<typeof recordsDocument>,
  graph: FriendGraph,
): Promise<void> {
  const numbers = await readIds(store, idBlobs, graph.ids, users);
  // Mostly both tables have got the ids in the same order.
  const isSame = numbers.every((number, user) => number === user);
  const numberOf = (user: number): number => numbers[user] as number;
  const turns = new Turns();
  for await (const blob of readBlobs(store, blobs)) {
    const all = numbersOf(blob);
    for (let at = 0; at < all.length;) {
      const record = recordAt(all, at);
      const words = wordsOf(record);
      if (!words) throw new BadSnapshot('A record is cut off.');
      if (![record.subarray(0, 1), words.added, words.removed].every((list) => isBelow(list, users)))
        throw new BadSnapshot('A record names a user who has no id.');
      graph.words.set(numberOf(words.user), isSame ? words : renumbered(words, numberOf));
      at += record.length;
      if (turns.isOver()) await turns.next();
    }
  }
}

function isBelow(list: Uint32Array, bound: number): boolean {
  for (let i = 0; i < list.length; i++) if ((list[i] as number) >= bound) return false;
  return true;
}

async function loadLines(store: BlobStore, blobs: readonly BlobId[], graph: FriendGraph): Promise<void> {
  const say = (line: Buffer): void => {
    const [userId, friends, former] = parse(wordsLine, line);
    graph.say(userId, { friends, former });
  };
  const last = await eachLine(store, blobs, (bytes, start, end) => say(bytes.subarray(start, end)));
  if (last.length > 0) say(last);
}

/** The blobs that words need: no sweep may take them. */
export async function readWordReferences(store: BlobStore): Promise<BlobId[]> {
  const bytes = await store.documents.get(WORDS);
  if (!bytes) return [];
  const document = parse(wordsDocument, bytes);
  return document.format === LINES ? document.blobs : [...document.idBlobs, ...document.blobs];
}
