// A sorted set of records of fixed width, as a B+ tree of pages that never change: `put` and `delete` return the next tree,
// which shares with this one all pages but those on the way to the change. Each branch knows how many records lie below it,
// so the record at an index is found as fast as that of a key. The shape of a tree depends on nothing but what was done to
// it, in order: a replay makes the same pages.
import { openBranch, openLeaf, PageRef, needPages, type Branch, type Layout } from './page.ts';
import { insertAt, keyAt, lowerBound, removeAt, replaceAt } from './records.ts';

const MAX_CHILDREN = 64;
/** A leaf with less than this share of its records joins a neighbour, if both together stay below the second share. */
const SPARSE = 1 / 4;
const JOINED = 3 / 4;

/** What became of a page: itself anew, and a page to its right when it was split. */
type Grown = { ref: PageRef; right?: { key: Uint8Array; ref: PageRef } };

export type RangeOptions = {
  /** Not less than this; from the beginning by default. */
  from?: Uint8Array;
  /** Less than this; to the end by default. */
  to?: Uint8Array;
  /** How many leaves to ask for when one is missing. */
  readAhead?: number;
};

export class Tree {
  readonly layout: Layout;
  /** Undefined for an empty tree. */
  readonly root: PageRef | undefined;
  /** Levels of branches above the leaves. */
  readonly height: number;

  constructor(layout: Layout, root?: PageRef, height = 0) {
    this.layout = layout;
    this.root = root;
    this.height = height;
  }

  get size(): number {
    return this.root?.count ?? 0;
  }

  /** @returns the record's value @throws PageMissing */
  get(key: Uint8Array): Uint8Array | undefined {
    const { root, layout } = this;
    if (!root) return undefined;
    let ref = root;
    for (let level = this.height; level > 0; level--) {
      const branch = openBranch(ref);
      ref = branch.children[childFor(branch, layout, key)] as PageRef;
    }
    const { records } = openLeaf(ref);
    const { index, found } = lowerBound(records, layout, key);
    if (!found) return undefined;
    const width = layout.keyBytes + layout.valueBytes;
    return records.subarray(index * width + layout.keyBytes, (index + 1) * width);
  }

  /** @throws PageMissing */
  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  /** Adds a record, or replaces that of the same key. @param record key and value @throws PageMissing */
  put(record: Uint8Array): Tree {
    const { layout, root, height } = this;
    if (!root) return new Tree(layout, new PageRef(1, { level: 0, records: record.slice() }));
    const { ref, right } = this.#put(root, height, record);
    if (!right) return new Tree(layout, ref, height);
    const keys = new Uint8Array(2 * layout.keyBytes);
    keys.set(keyAt(record, layout, 0), 0);
    keys.set(right.key, layout.keyBytes);
    return new Tree(layout, branchRef({ level: height + 1, keys, children: [ref, right.ref] }), height + 1);
  }

  #put(ref: PageRef, level: number, record: Uint8Array): Grown {
    if (level === 0) return this.#putInLeaf(ref, record);
    const { layout } = this;
    const branch = openBranch(ref);
    const at = childFor(branch, layout, record);
    const child = this.#put(branch.children[at] as PageRef, level - 1, record);
    const children = branch.children.slice();
    children[at] = child.ref;
    if (!child.right) return { ref: branchRef({ level, keys: branch.keys, children }) };
    children.splice(at + 1, 0, child.right.ref);
    const keys = insertAt(branch.keys, layout.keyBytes, at + 1, child.right.key);
    if (children.length <= MAX_CHILDREN) return { ref: branchRef({ level, keys, children }) };
    // What is added at the end mostly goes on there: then a full page is left behind, not a half one.
    const middle = at + 2 === children.length ? children.length - 1 : children.length >>> 1;
    const cut = middle * layout.keyBytes;
    return {
      ref: branchRef({ level, keys: keys.slice(0, cut), children: children.slice(0, middle) }),
      right: {
        key: keys.slice(cut, cut + layout.keyBytes),
        ref: branchRef({ level, keys: keys.slice(cut), children: children.slice(middle) }),
      },
    };
  }

  #putInLeaf(ref: PageRef, record: Uint8Array): Grown {
    const { layout } = this;
    const { records } = openLeaf(ref);
    const { index, found } = lowerBound(records, layout, record);
    if (found) return { ref: leafRef(replaceAt(records, index, record), layout) };
    const width = record.length;
    const grown = insertAt(records, width, index, record);
    const count = ref.count + 1;
    if (count <= layout.leafRecords) return { ref: leafRef(grown, layout) };
    const middle = index === count - 1 ? count - 1 : count >>> 1;
    const right = grown.slice(middle * width);
    return {
      ref: leafRef(grown.slice(0, middle * width), layout),
      right: { key: right.slice(0, layout.keyBytes), ref: leafRef(right, layout) },
    };
  }

  /** @returns this tree itself when it has no such record @throws PageMissing */
  delete(key: Uint8Array): Tree {
    const { layout, root, height } = this;
    if (!root) return this;
    const left = this.#delete(root, height, key);
    if (left === root) return this;
    let ref = left;
    let level = height;
    while (ref && level > 0) {
      const { children } = openBranch(ref);
      if (children.length > 1) break;
      ref = children[0];
      level--;
    }
    return ref ? new Tree(layout, ref, level) : new Tree(layout);
  }

  /** @returns the page without the record; undefined when nothing is left of it */
  #delete(ref: PageRef, level: number, key: Uint8Array): PageRef | undefined {
    const { layout } = this;
    if (level === 0) {
      const { records } = openLeaf(ref);
      const { index, found } = lowerBound(records, layout, key);
      if (!found) return ref;
      return ref.count === 1
        ? undefined
        : leafRef(removeAt(records, layout.keyBytes + layout.valueBytes, index), layout);
    }
    const branch = openBranch(ref);
    const at = childFor(branch, layout, key);
    const before = branch.children[at] as PageRef;
    const child = this.#delete(before, level - 1, key);
    if (child === before) return ref;
    const children = branch.children.slice();
    let keys = branch.keys;
    if (child) children[at] = child;
    else {
      if (children.length === 1) return undefined;
      children.splice(at, 1);
      keys = removeAt(keys, layout.keyBytes, at);
    }
    const shrunk: Branch = { level, keys, children };
    return branchRef(child && level === 1 ? joinSparse(shrunk, at, layout) : shrunk);
  }

  /** How many records have lesser keys. @throws PageMissing */
  rank(key: Uint8Array): number {
    const { root, layout } = this;
    if (!root) return 0;
    let ref = root;
    let before = 0;
    for (let level = this.height; level > 0; level--) {
      const branch = openBranch(ref);
      const at = childFor(branch, layout, key);
      for (let index = 0; index < at; index++) before += branch.children[index]?.count ?? 0;
      ref = branch.children[at] as PageRef;
    }
    return before + lowerBound(openLeaf(ref).records, layout, key).index;
  }

  /** @returns the record at an index, 0 and up; undefined beyond the end @throws PageMissing */
  at(index: number): Uint8Array | undefined {
    const { root, layout } = this;
    if (!root || index < 0 || index >= root.count) return undefined;
    let ref = root;
    let left = index;
    for (let level = this.height; level > 0; level--) {
      for (const child of openBranch(ref).children) {
        ref = child;
        if (left < child.count) break;
        left -= child.count;
      }
    }
    const width = layout.keyBytes + layout.valueBytes;
    return openLeaf(ref).records.subarray(left * width, (left + 1) * width);
  }

  /** The records of a range of keys, in order. They are views: to be kept, copy them. @throws PageMissing */
  *range({ from, to, readAhead = 1 }: RangeOptions = {}): Generator<Uint8Array, void, undefined> {
    const { layout } = this;
    const width = layout.keyBytes + layout.valueBytes;
    for (const ref of this.#leaves(this.root, this.height, from, readAhead)) {
      const { records } = openLeaf(ref);
      let index = from ? lowerBound(records, layout, from).index : 0;
      const end = to ? lowerBound(records, layout, to).index : ref.count;
      for (; index < end; index++) yield records.subarray(index * width, (index + 1) * width);
      if (end < ref.count) return;
    }
  }

  *#leaves(
    ref: PageRef | undefined,
    level: number,
    from: Uint8Array | undefined,
    readAhead: number,
  ): Generator<PageRef, void, undefined> {
    if (!ref) return;
    if (level === 0) return yield ref;
    const branch = openBranch(ref);
    const first = from ? childFor(branch, this.layout, from) : 0;
    for (let at = first; at < branch.children.length; at++) {
      const child = branch.children[at] as PageRef;
      if (!child.page) needPages(branch.children.slice(at, at + readAhead));
      yield* this.#leaves(child, level - 1, at === first ? from : undefined, readAhead);
    }
  }
}

function leafRef(records: Uint8Array, { keyBytes, valueBytes }: Layout): PageRef {
  return new PageRef(records.length / (keyBytes + valueBytes), { level: 0, records });
}

function branchRef(branch: Branch): PageRef {
  let count = 0;
  for (const child of branch.children) count += child.count;
  return new PageRef(count, branch);
}

/** Which child a key belongs to. */
function childFor({ keys, children }: Branch, layout: Layout, key: Uint8Array): number {
  const { index, found } = lowerBound(keys, { keyBytes: layout.keyBytes, valueBytes: 0 }, key);
  return found ? index : Math.max(0, Math.min(index, children.length) - 1);
}

/** Joins the leaf at `at` to a neighbour when both are small. */
function joinSparse(branch: Branch, at: number, layout: Layout): Branch {
  const { keys, children } = branch;
  const count = children[at]?.count ?? 0;
  if (count >= layout.leafRecords * SPARSE) return branch;
  const left = [at - 1, at].find((index) => {
    const both = (children[index]?.count ?? Infinity) + (children[index + 1]?.count ?? Infinity);
    return both <= layout.leafRecords * JOINED;
  });
  if (left === undefined) return branch;
  const [a, b] = [children[left] as PageRef, children[left + 1] as PageRef];
  needPages([a, b]);
  const [first, second] = [openLeaf(a).records, openLeaf(b).records];
  const records = new Uint8Array(first.length + second.length);
  records.set(first);
  records.set(second, first.length);
  return {
    level: branch.level,
    keys: removeAt(keys, layout.keyBytes, left + 1),
    children: [...children.slice(0, left), leafRef(records, layout), ...children.slice(left + 2)],
  };
}
