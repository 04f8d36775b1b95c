// Pages of the trees that an image is made of. A page never changes: what changes is a new page, and new pages on the way
// to it. So an image can be read while the next is made, taken back by forgetting it, and stored by its new pages alone.
import { createHash } from 'node:crypto';
import { PageLost, PageMissing, type ReadPages } from '../../log/page-missing.ts';

/** How a tree lies in its pages: records of fixed width, sorted by their keys as bytes. */
export type Layout = {
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Records of a full leaf. */
  readonly leafRecords: number;
};

export type Leaf = { readonly level: 0; readonly records: Uint8Array };

export type Branch = {
  /** 1 above leaves, and so on. */
  readonly level: number;
  /** A key for each child: no record in it is less; the first child takes whatever is less than the second's. */
  readonly keys: Uint8Array;
  readonly children: readonly PageRef[];
};

export type Page = Leaf | Branch;

/** Where a page is. The page is fixed; whether it is in memory and in the store is not. */
export class PageRef {
  /** Records in the page and below it. */
  readonly count: number;
  /** Undefined while it is not in memory; only a stored page may be that. */
  page: Page | undefined;
  /** Hash of its bytes; undefined until it was asked for. */
  id: string | undefined;
  /** Can it be read from the store by its id? Then those below it can, too. */
  isStored: boolean;
  /** Was it looked at since memory was last tidied? */
  wasUsed = true;

  constructor(count: number, page: Page | undefined, id?: string, isStored = false) {
    this.count = count;
    this.page = page;
    this.id = id;
    this.isStored = isStored;
  }
}

/** 128 bits of a SHA-256: equal ids are equal pages. */
const PAGE_ID_BYTES = 16;
const LEVEL_BYTES = 1;
const KEY_LENGTH_BYTES = 1;
const HEAD_BYTES = LEVEL_BYTES + KEY_LENGTH_BYTES;
const COUNT_BYTES = 4;

/** @throws PageMissing */
function openPage(ref: PageRef): Page {
  ref.wasUsed = true;
  if (ref.page) return ref.page;
  throw new PagesMissing([ref]);
}

/** @throws PageMissing */
export function openBranch(ref: PageRef): Branch {
  const page = openPage(ref);
  if (page.level === 0) throw new PageLost('a leaf where a branch belongs');
  return page as Branch;
}

/** @throws PageMissing */
export function openLeaf(ref: PageRef): Leaf {
  const page = openPage(ref);
  if (page.level !== 0) throw new PageLost('a branch where a leaf belongs');
  return page as Leaf;
}

class PagesMissing extends PageMissing {
  readonly refs: readonly PageRef[];

  constructor(refs: readonly PageRef[]) {
    super(`${refs.length} pages are not in memory`);
    this.refs = refs;
  }

  override async load(read: ReadPages): Promise<void> {
    const wanted = this.refs.filter((ref) => !ref.page);
    const ids = wanted.map(pageId);
    const found = await read(ids);
    for (const [index, ref] of wanted.entries()) {
      const bytes = found[index];
      if (!bytes) throw new PageLost(`page ${ids[index]} is not in the store`);
      if (hashPage(bytes) !== ref.id) throw new PageLost(`page ${ids[index]} is damaged`);
      ref.page = decodePage(bytes);
    }
  }
}

/** @throws PageMissing for those of the pages that are not in memory */
export function needPages(refs: readonly PageRef[]): void {
  const missing = refs.filter((ref) => !ref.page);
  if (missing.length > 0) throw new PagesMissing(missing);
}

/**
 * Makes all look-ups, so that what is missing for any of them is loaded in one go.
 * @throws PageMissing
 */
export function together<T>(lookups: readonly (() => T)[]): T[] {
  const missing: PageRef[] = [];
  const results: T[] = [];
  for (const lookup of lookups) {
    try {
      results.push(lookup());
    } catch (error) {
      if (!(error instanceof PagesMissing)) throw error;
      missing.push(...error.refs);
    }
  }
  if (missing.length > 0) throw new PagesMissing([...new Set(missing)]);
  return results;
}

/** The page's id; computed when it was not yet. */
export function pageId(ref: PageRef): string {
  return (ref.id ??= hashPage(encodePage(ref)));
}

export function hashPage(bytes: Uint8Array): string {
  return createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * PAGE_ID_BYTES);
}

/** Level, length of a key; of a leaf the records, of a branch for each child its key, count (32 bits) and id. */
export function encodePage(ref: PageRef): Uint8Array {
  const page = openPage(ref);
  if (page.level === 0) {
    const { records } = page as Leaf;
    const bytes = new Uint8Array(HEAD_BYTES + records.length);
    bytes.set(records, HEAD_BYTES);
    return bytes;
  }
  const { level, keys, children } = page as Branch;
  const keyBytes = keys.length / children.length;
  const width = keyBytes + COUNT_BYTES + PAGE_ID_BYTES;
  const bytes = Buffer.alloc(HEAD_BYTES + children.length * width);
  bytes[0] = level;
  bytes[LEVEL_BYTES] = keyBytes;
  for (const [index, child] of children.entries()) {
    const start = HEAD_BYTES + index * width;
    bytes.set(keys.subarray(index * keyBytes, (index + 1) * keyBytes), start);
    bytes.writeUInt32BE(child.count, start + keyBytes);
    bytes.write(pageId(child), start + keyBytes + COUNT_BYTES, 'hex');
  }
  return bytes;
}

/** @throws PageLost when the bytes are no page. Children of a branch are taken to be in the store. */
export function decodePage(bytes: Uint8Array): Page {
  const level = bytes[0];
  if (level === undefined || bytes.length < HEAD_BYTES) throw new PageLost('an empty page');
  // A copy: a view would keep in memory whatever the bytes came with.
  if (level === 0) return { level: 0, records: Uint8Array.from(bytes.subarray(HEAD_BYTES)) };
  const keyBytes = bytes[LEVEL_BYTES] ?? 0;
  const width = keyBytes + COUNT_BYTES + PAGE_ID_BYTES;
  const count = (bytes.length - HEAD_BYTES) / width;
  if (!Number.isInteger(count) || count === 0) throw new PageLost('a branch of a strange length');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const keys = new Uint8Array(count * keyBytes);
  const children: PageRef[] = [];
  for (let index = 0; index < count; index++) {
    const start = HEAD_BYTES + index * width;
    keys.set(bytes.subarray(start, start + keyBytes), index * keyBytes);
    const idStart = start + keyBytes + COUNT_BYTES;
    const id = buffer.toString('hex', idStart, idStart + PAGE_ID_BYTES);
    children.push(new PageRef(buffer.readUInt32BE(start + keyBytes), undefined, id, true));
  }
  return { level, keys, children };
}
