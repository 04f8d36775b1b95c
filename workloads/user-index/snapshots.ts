// What a user index starts from, in the blob store: the last edge list, and what the logs said over it. Numbers lie in blobs
// of a few megabytes, checked by their ids; a document names them. All of it is an aid but the edge list, which the logs don't have.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BlobId, BlobStore } from '../common/blobs/blob-store.ts';
import { inParallel } from '../common/parallel.ts';
import { FriendGraph, type Words } from './graph.ts';
import { IdTable } from './id-table.ts';

const BASE = 'user-index-base.json';
const WORDS = 'user-index-words.json';
/** What the blobs mean: ids a line each; numbers of 4 bytes, little end first, as every machine that runs Node has them. */
const FORMAT = 1;
const CHUNK_BYTES = 8 * 1024 * 1024;
/** Made of words at one go: well under a millisecond, which questions may wait. */
const TURN_BYTES = 32 * 1024;
/** Blobs on their way at once. */
const PARALLEL = 4;

const blobId = z.string().regex(/^[0-9a-f]{64}$/);
const baseDocument = z.object({
  format: z.literal(FORMAT),
  users: z.number().int().min(0),
  targets: z.number().int().min(0),
  idBlobs: z.array(blobId),
  offsetBlobs: z.array(blobId),
  targetBlobs: z.array(blobId),
});
const wordsDocument = z.object({
  format: z.literal(FORMAT),
  watermarks: z.record(z.string(), z.number()),
  blobs: z.array(blobId),
});
const wordsLine = z.tuple([z.string(), z.array(z.string()), z.array(z.string())]);

/** A snapshot that can't be used. */
export class BadSnapshot extends Error {
  override name = 'BadSnapshot';
}

/** Stores an edge list; replicas take it up by themselves. */
export async function saveBase(
  store: BlobStore,
  { ids, base }: FriendGraph,
  onProgress: (bytes: number) => void = () => {},
): Promise<void> {
  const put = (parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<BlobId[]> =>
    putChunks(store, parts, onProgress);
  const document: z.infer<typeof baseDocument> = {
    format: FORMAT,
    users: base.offsets.length - 1,
    targets: base.targets.length,
    idBlobs: await put(inTurns(ids.lines())),
    offsetBlobs: await put([bytesOf(base.offsets)]),
    targetBlobs: await put([bytesOf(base.targets)]),
  };
  await store.documents.put(BASE, Buffer.from(JSON.stringify(document)));
}

/** Names the edge list that the store has now; undefined when it has none. */
export async function baseVersion(store: BlobStore): Promise<string | undefined> {
  const bytes = await store.documents.get(BASE);
  return bytes && createHash('sha256').update(bytes).digest('hex');
}

/** @returns undefined when there is none @throws BadSnapshot; the store's errors */
export async function loadBase(
  store: BlobStore,
): Promise<{ graph: FriendGraph; version: string } | undefined> {
  const bytes = await store.documents.get(BASE);
  if (!bytes) return undefined;
  const { users, targets, idBlobs, offsetBlobs, targetBlobs } = parse(baseDocument, bytes);
  const base = {
    offsets: await readNumbers(store, offsetBlobs, users + 1),
    targets: await readNumbers(store, targetBlobs, targets),
  };
  const ids = new IdTable();
  let rest = Buffer.alloc(0);
  for (const blob of idBlobs) {
    const data = Buffer.concat([rest, await store.get(blob)]);
    let start = 0;
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, start)) {
      ids.addBytes(data, start, end);
      start = end + 1;
    }
    rest = data.subarray(start);
  }
  if (ids.size !== users || base.offsets[users] !== targets || !isAscending(base.offsets))
    throw new BadSnapshot('The parts of the edge list do not fit each other.');
  for (const target of base.targets)
    if (target >= users) throw new BadSnapshot('The edge list names a user whom it does not have.');
  return { graph: new FriendGraph(ids, base), version: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * Stores what words say. Requests are answered meanwhile, and words may change: what is stored is at least as new as the
 * watermarks, and whoever starts from it asks again for what came after them.
 */
export async function saveWords(
  store: BlobStore,
  graph: FriendGraph,
  watermarks: ReadonlyMap<string, number>,
): Promise<void> {
  function* lines(): Generator<Uint8Array, void, undefined> {
    for (const [userId, { friends, former }] of graph.words())
      yield Buffer.from(`${JSON.stringify([userId, friends, former])}\n`);
  }
  const document: z.infer<typeof wordsDocument> = {
    format: FORMAT,
    watermarks: Object.fromEntries(watermarks),
    blobs: await putChunks(store, inTurns(lines()), () => {}),
  };
  await store.documents.put(WORDS, Buffer.from(JSON.stringify(document)));
}

/** @returns undefined when there is no such snapshot @throws BadSnapshot; the store's errors */
export async function loadWords(
  store: BlobStore,
): Promise<{ words: [userId: string, words: Words][]; watermarks: Map<string, number> } | undefined> {
  const bytes = await store.documents.get(WORDS);
  if (!bytes) return undefined;
  const { watermarks, blobs } = parse(wordsDocument, bytes);
  const text = Buffer.concat(await inParallel(blobs, PARALLEL, (blob) => store.get(blob))).toString('utf8');
  const words = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): [string, Words] => {
      const [userId, friends, former] = parse(wordsLine, Buffer.from(line));
      return [userId, { friends, former }];
    });
  return { words, watermarks: new Map(Object.entries(watermarks)) };
}

/** The blobs that the index needs: no sweep may take them. */
export async function* readIndexReferences(store: BlobStore): AsyncGenerator<BlobId> {
  const base = await store.documents.get(BASE);
  if (base) {
    const { idBlobs, offsetBlobs, targetBlobs } = parse(baseDocument, base);
    for (const blobs of [idBlobs, offsetBlobs, targetBlobs]) yield* blobs;
  }
  const words = await store.documents.get(WORDS);
  if (words) yield* parse(wordsDocument, words).blobs;
}

/** @throws BadSnapshot */
function parse<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.infer<T> {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw new BadSnapshot('A snapshot of the user index is not understood.', { cause: error });
  }
}

async function putChunks(
  store: BlobStore,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  onProgress: (bytes: number) => void,
): Promise<BlobId[]> {
  const ids: BlobId[] = [];
  for await (const chunk of inChunks(parts)) {
    ids.push((await store.put(chunk)).id);
    onProgress(chunk.length);
  }
  return ids;
}

/** The same, with a pause for whatever else waits in this process after each TURN_BYTES. */
async function* inTurns(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    gathered.push(part);
    bytes += part.length;
    if (bytes < TURN_BYTES) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}

/** The same bytes in pieces of CHUNK_BYTES, the last one shorter. */
async function* inChunks(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let chunk = new Uint8Array(CHUNK_BYTES);
  let filled = 0;
  for await (const part of parts) {
    for (let start = 0; start < part.length;) {
      const length = Math.min(part.length - start, CHUNK_BYTES - filled);
      chunk.set(part.subarray(start, start + length), filled);
      start += length;
      filled += length;
      if (filled < CHUNK_BYTES) continue;
      yield chunk;
      chunk = new Uint8Array(CHUNK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

async function readNumbers(store: BlobStore, blobs: readonly BlobId[], count: number): Promise<Uint32Array> {
  const numbers = new Uint32Array(count);
  const bytes = bytesOf(numbers);
  if (blobs.length !== Math.ceil(bytes.length / CHUNK_BYTES)) throw new BadSnapshot('Parts are missing.');
  const numbered = blobs.map((blob, index) => ({ blob, at: index * CHUNK_BYTES }));
  await inParallel(numbered, PARALLEL, async ({ blob, at }) => {
    const chunk = await store.get(blob);
    if (chunk.length !== Math.min(CHUNK_BYTES, bytes.length - at))
      throw new BadSnapshot('A part has another size.');
    bytes.set(chunk, at);
  });
  return numbers;
}

function bytesOf(numbers: Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function isAscending(numbers: Uint32Array): boolean {
  for (let i = 1; i < numbers.length; i++)
    if ((numbers[i] as number) < (numbers[i - 1] as number)) return false;
  return true;
}
