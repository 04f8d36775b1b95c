// An edge list: two user ids a line, with a space, a tab or a comma between; both are friends of each other. `#` begins a
// comment line. It takes twice the memory of the graph.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import { FriendGraph } from './graph.ts';
import { IdTable } from './id-table.ts';
import { removeRepeats } from './sorted.ts';

/** Offsets of 4 bytes tell so many, each in both directions. */
const MAX_EDGES = 2 ** 31 - 1;
const EDGES_IN_CHUNK = 1 << 20;
/** As keys.ts has it. */
const MAX_ID_BYTES = 64;
const MAX_LINE_BYTES = 4 * MAX_ID_BYTES;
const READ_BYTES = 4 * 1024 * 1024;
/** Lists between two turns of the event loop. */
const LISTS_AT_ONCE = 20_000;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const HASH = 0x23;
const GZIP_MAGIC = [0x1f, 0x8b];

/** Says where and why; nothing was loaded. */
export class BadEdgeList extends Error {
  override name = 'BadEdgeList';
}

export type LoadProgress = (readBytes: number, ofBytes: number) => void;

/** Letters and digits 1; `-` and `_` 2, as they can't begin an id; separators 3; all else 0. */
const KIND = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9]/.test(character)) KIND[byte] = 1;
  else if (/[-_]/.test(character)) KIND[byte] = 2;
  else if (/[ \t,]/.test(character)) KIND[byte] = 3;
}

/**
 * @param file text, or text in gzip
 * @throws BadEdgeList; the file's own errors
 */
export async function loadEdgeList(file: string, onProgress: LoadProgress = () => {}): Promise<FriendGraph> {
  const { size } = await stat(file);
  const ids = new IdTable();
  const pairs = new Pairs();
  await readEdges(
    file,
    ids,
    (read) => onProgress(read, size),
    (a, b) => pairs.add(a, b),
  );
  const offsets = new Uint32Array(ids.size + 1);
  pairs.each((user) => (offsets[user + 1] = (offsets[user + 1] as number) + 1));
  for (let user = 0; user < ids.size; user++)
    offsets[user + 1] = (offsets[user + 1] as number) + (offsets[user] as number);
  const next = offsets.slice(0, ids.size);
  const targets = new Uint32Array(2 * pairs.count);
  pairs.each((user, friend) => {
    const at = next[user] as number;
    targets[at] = friend;
    next[user] = at + 1;
  });
  pairs.clear();
  return new FriendGraph(ids, await tidy(offsets, targets));
}

/** Edges as they were read, in arrays that need not be copied to grow. */
class Pairs {
  #chunks: Uint32Array[] = [];
  #last = new Uint32Array();
  #filled = 0;
  count = 0;

  /** @throws BadEdgeList */
  add(a: number, b: number): void {
    if (this.#filled === this.#last.length) {
      if (this.count >= MAX_EDGES) throw new BadEdgeList(`There are more than ${MAX_EDGES} edges.`);
      this.#last = new Uint32Array(2 * EDGES_IN_CHUNK);
      this.#chunks.push(this.#last);
      this.#filled = 0;
    }
    this.#last[this.#filled++] = a;
    this.#last[this.#filled++] = b;
    this.count++;
  }

  /** Each edge in both directions. */
  each(visit: (user: number, friend: number) => void): void {
    for (const chunk of this.#chunks) {
      const end = chunk === this.#last ? this.#filled : chunk.length;
      for (let i = 0; i < end; i += 2) {
        visit(chunk[i] as number, chunk[i + 1] as number);
        visit(chunk[i + 1] as number, chunk[i] as number);
      }
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#last = new Uint32Array();
    this.#filled = 0;
  }
}

/** Sorts each list and leaves out what is twice in it. */
async function tidy(
  offsets: Uint32Array,
  targets: Uint32Array,
): Promise<{ offsets: Uint32Array; targets: Uint32Array }> {
  let kept = 0;
  for (let user = 0; user + 1 < offsets.length; user++) {
    if (user % LISTS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    const [from, to] = [offsets[user] as number, offsets[user + 1] as number];
    const list = targets.subarray(from, to).sort();
    const length = removeRepeats(list);
    targets.copyWithin(kept, from, from + length);
    offsets[user] = kept;
    kept += length;
  }
  offsets[offsets.length - 1] = kept;
  return { offsets, targets: kept === targets.length ? targets : targets.slice(0, kept) };
}

async function readEdges(
  file: string,
  ids: IdTable,
  onRead: (bytes: number) => void,
  onEdge: (a: number, b: number) => void,
): Promise<void> {
  const source = createReadStream(file, { highWaterMark: READ_BYTES });
  const bytes: Readable = (await isGzip(file))
    ? source.pipe(createGunzip({ chunkSize: READ_BYTES }))
    : source;
  // pipe() passes on no errors.
  if (bytes !== source) source.once('error', (error) => bytes.destroy(error));
  const parser = new EdgeParser(ids, onEdge);
  try {
    for await (const chunk of bytes) {
      parser.push(chunk as Buffer);
      onRead(source.bytesRead);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
      throw new BadEdgeList(`The gzip file is damaged: ${error.message}.`, { cause: error });
    throw error;
  } finally {
    source.destroy();
  }
  parser.end();
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && GZIP_MAGIC.every((byte, index) => buffer[index] === byte);
  } finally {
    await handle.close();
  }
}

class EdgeParser {
  readonly #ids: IdTable;
  readonly #onEdge: (a: number, b: number) => void;
  #rest: Buffer = Buffer.alloc(0);
  #line = 0;
  /** Lists are mostly grouped by their first user: it need not be looked up again. */
  #lastId = Buffer.alloc(0);
  #lastNumber = -1;

  constructor(ids: IdTable, onEdge: (a: number, b: number) => void) {
    this.#ids = ids;
    this.#onEdge = onEdge;
  }

  push(chunk: Buffer): void {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let start = 0;
    for (let end = 0; end < data.length; end++) {
      if (data[end] !== NEWLINE) continue;
      this.#parse(data, start, end);
      start = end + 1;
    }
    this.#rest = data.subarray(start);
    if (this.#rest.length > MAX_LINE_BYTES && this.#rest[0] !== HASH) throw this.#bad('is too long');
  }

  end(): void {
    if (this.#rest.length > 0) this.#parse(this.#rest, 0, this.#rest.length);
  }

  #parse(data: Buffer, start: number, lineEnd: number): void {
    this.#line++;
    const end = lineEnd > start && data[lineEnd - 1] === RETURN ? lineEnd - 1 : lineEnd;
    if (start === end || data[start] === HASH) return;
    const firstEnd = this.#idEnd(data, start, end);
    let second = firstEnd;
    while (second < end && KIND[data[second] as number] === 3) second++;
    if (second === firstEnd) throw this.#bad('has no two user ids');
    const secondEnd = this.#idEnd(data, second, end);
    if (secondEnd !== end) throw this.#bad('has more than two user ids');
    const a = this.#first(data, start, firstEnd);
    const b = this.#ids.addBytes(data, second, secondEnd);
    if (a === b) throw this.#bad('makes a user their own friend');
    this.#onEdge(a, b);
  }

  #first(data: Buffer, start: number, end: number): number {
    if (!this.#isLast(data, start, end)) {
      this.#lastNumber = this.#ids.addBytes(data, start, end);
      this.#lastId = Buffer.from(data.subarray(start, end));
    }
    return this.#lastNumber;
  }

  #isLast(data: Buffer, start: number, end: number): boolean {
    const last = this.#lastId;
    if (last.length !== end - start) return false;
    for (let i = 0; i < last.length; i++) if (last[i] !== data[start + i]) return false;
    return true;
  }

  #idEnd(data: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && (KIND[data[at] as number] === 1 || (at > start && KIND[data[at] as number] === 2)))
      at++;
    if (at === start || at - start > MAX_ID_BYTES) throw this.#bad('has something that is no user id');
    if (at < end && KIND[data[at] as number] !== 3) throw this.#bad('has something that is no user id');
    return at;
  }

  #bad(why: string): BadEdgeList {
    return new BadEdgeList(`Line ${this.#line + (why === 'is too long' ? 1 : 0)} ${why}.`);
  }
}
