// A map whose keys come in no order, such as hashes. New records gather in a small tree, which is always at hand, and go
// into the large one many at a time: so adding one needs no page from the store and makes few new ones.
import { together, type Layout } from './page.ts';
import { Tree } from './tree.ts';

/** Records that gather before they go on. */
const MAX_RECENT = 1024;

export class BufferedTree {
  readonly recent: Tree;
  readonly main: Tree;

  constructor(recent: Tree, main: Tree) {
    this.recent = recent;
    this.main = main;
  }

  static empty(recent: Layout, main: Layout): BufferedTree {
    return new BufferedTree(new Tree(recent), new Tree(main));
  }

  /** @throws PageMissing */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.recent.get(key) ?? this.main.get(key);
  }

  /** Is it time for `merge`? */
  get isFull(): boolean {
    return this.recent.size >= MAX_RECENT;
  }

  /** Adds a record, or replaces that of the same key. @param record key and value */
  put(record: Uint8Array): BufferedTree {
    return new BufferedTree(this.recent.put(record), this.main);
  }

  /** @param main where the gathered records go @throws PageMissing */
  merge(main = this.main): BufferedTree {
    const records = Array.from(this.recent.range());
    // All pages that the records go to, in one go.
    together(records.map((record) => () => main.get(record)));
    let merged = main;
    for (const record of records) merged = merged.put(record);
    return new BufferedTree(new Tree(this.recent.layout), merged);
  }
}
