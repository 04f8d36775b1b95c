// The edge list in the blob store, which the logs don't have: its numbers lie in blobs, checked by their ids; a document
// names them.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BlobId, BlobStore } from '../common/blobs/blob-store.ts';
import { inParallel } from '../common/parallel.ts';
import { FriendGraph } from './graph.ts';
import { IdTable } from './id-table.ts';
import { BadSnapshot, blobId, bytesOf, CHUNK_BYTES, parse, readIds } from './snapshot-parts.ts';
import { Turns } from './turns.ts';

const BASE = 'user-index-base.json';
const FORMAT = 1;
/** Blobs on their way at once. */
const PARALLEL = 4;
/** Numbers that are looked at in one go. */
const SLICE = 50_000;

const baseDocument = z.object({
  format: z.literal(FORMAT),
  users: z.number().int().min(0),
  targets: z.number().int().min(0),
  idBlobs: z.array(blobId),
  offsetBlobs: z.array(blobId),
  targetBlobs: z.array(blobId),
});
/** Stores an edge list; replicas take it up by themselves. */
export async function saveBase(
  store: BlobStore,
  { ids, base }: FriendGraph,
  onProgress: (bytes: number) => void = () => {},
): Promise<void> {
  const put = (parts: Iterable<Uint8Array>): Promise<BlobId[]> => putChunks(store, parts, onProgress);
  const document: z.infer<typeof baseDocument> = {
    format: FORMAT,
    users: base.offsets.length - 1,
    targets: base.targets.length,
    idBlobs: await put(ids.lines()),
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
  await readIds(store, idBlobs, ids, users);
  if (ids.size !== users || base.offsets[users] !== targets || !isAscending(base.offsets))
    throw new BadSnapshot('The parts of the edge list do not fit each other.');
  const turns = new Turns();
  for (let at = 0; at < targets; at += SLICE) {
    for (const target of base.targets.subarray(at, at + SLICE))
      if (target >= users) throw new BadSnapshot('The edge list names a user whom it does not have.');
    if (turns.isOver()) await turns.next();
  }
  return { graph: new FriendGraph(ids, base), version: createHash('sha256').update(bytes).digest('hex') };
}

/** The blobs that the edge list needs: no sweep may take them. */
export async function readBaseReferences(store: BlobStore): Promise<BlobId[]> {
  const bytes = await store.documents.get(BASE);
  if (!bytes) return [];
  const { idBlobs, offsetBlobs, targetBlobs } = parse(baseDocument, bytes);
  return [...idBlobs, ...offsetBlobs, ...targetBlobs];
}

async function putChunks(
  store: BlobStore,
  parts: Iterable<Uint8Array>,
  onProgress: (bytes: number) => void,
): Promise<BlobId[]> {
  const ids: BlobId[] = [];
  for (const chunk of inChunks(parts)) {
    ids.push((await store.put(chunk)).id);
    onProgress(chunk.length);
  }
  return ids;
}

/** The same bytes in pieces of CHUNK_BYTES, the last one shorter. */
function* inChunks(parts: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  let chunk = new Uint8Array(CHUNK_BYTES);
  let filled = 0;
  for (const part of parts) {
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

function isAscending(numbers: Uint32Array): boolean {
  for (let i = 1; i < numbers.length; i++)
    if ((numbers[i] as number) < (numbers[i - 1] as number)) return false;
  return true;
}
