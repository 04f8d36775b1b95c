// Who serves a key: map and rings in memory, and the one pure function over them. Discovery holds one and streams its
// changes; every client holds another that follows.
import { hashKey, type KeyHash } from '../hash.ts';
import { Ring, type RingMember, type RingView } from '../ring/ring.ts';
import { BucketMap } from './buckets.ts';
import type { CellRecord, DirectoryMessage } from './directory-messages.ts';

/** A cell and its members as last seen; no ring: its coordination was never reached. */
export type CellView = CellRecord & { ring: RingView | undefined };

export type Where = {
  key: string;
  bucket: number;
  cell: string;
  cellState: CellRecord['state'];
  node: string;
  url: string;
  mapVersion: number;
  ringVersion: number;
};

/** Why nobody serves a key now. */
export type Nowhere =
  | { problem: 'unassigned' }
  | { problem: 'cell-disabled'; cell: string; state: string }
  /** The cell has no serving member, or is not known to have any. */
  | { problem: 'no-node'; cell: string };

/** Cells in these states serve their users. */
const SERVING_STATES = new Set(['Enabled', 'Draining']);

type Entry = { view: CellView; ring: Ring };

export class Directory {
  /** Rises with every change of map, cells and exceptions (not of rings). */
  mapVersion = 0;
  buckets: BucketMap = BucketMap.empty;
  /** Keys that are not where their bucket is. */
  readonly exceptions = new Map<string, string>();
  readonly #cells = new Map<string, Entry>();

  cells(): CellView[] {
    return [...this.#cells.values()].map((entry) => entry.view).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  cell(name: string): CellView | undefined {
    return this.#cells.get(name)?.view;
  }

  /** The cell that a key belongs to; undefined when its bucket belongs to none. */
  cellOf(key: string): string | undefined {
    return this.exceptions.get(key) ?? this.buckets.cellOf(hashKey(key).bucket);
  }

  where(key: string): Where | Nowhere {
    const hash = hashKey(key);
    const cell = this.exceptions.get(key) ?? this.buckets.cellOf(hash.bucket);
    return cell === undefined ? { problem: 'unassigned' } : this.#whereIn(cell, key, hash);
  }

  /** Who would serve the key if it were in that cell. */
  whereIn(cell: string, key: string): Where | Nowhere {
    return this.#whereIn(cell, key, hashKey(key));
  }

  #whereIn(cell: string, key: string, { bucket, position }: KeyHash): Where | Nowhere {
    const entry = this.#cells.get(cell);
    if (!entry) return { problem: 'no-node', cell };
    const { view, ring } = entry;
    if (!SERVING_STATES.has(view.state)) return { problem: 'cell-disabled', cell, state: view.state };
    const owner = ring.owner(position);
    if (!owner) return { problem: 'no-node', cell };
    return {
      key,
      bucket,
      cell,
      cellState: view.state,
      node: owner.name,
      url: owner.url,
      mapVersion: this.mapVersion,
      ringVersion: view.ring?.version ?? 0,
    };
  }

  /** The member of that name and session; undefined when it is gone from its cell. */
  member(cell: string, node: string): RingMember | undefined {
    return this.#cells.get(cell)?.view.ring?.members.find((member) => member.name === node);
  }

  apply(message: DirectoryMessage): void {
    switch (message.type) {
      case 'snapshot':
        this.#cells.clear();
        this.exceptions.clear();
        this.buckets = BucketMap.decode(message.buckets);
        for (const { ring, ...record } of message.cells) this.#put({ ...record, ring: ring ?? undefined });
        for (const [key, cell] of message.exceptions) this.exceptions.set(key, cell);
        break;
      case 'buckets':
        this.buckets = this.buckets.with(
          message.changes.map(([bucket, cell]) => [bucket, cell ?? undefined]),
        );
        break;
      case 'exceptions':
        for (const [key, cell] of message.changes) {
          if (cell === null) this.exceptions.delete(key);
          else this.exceptions.set(key, cell);
        }
        break;
      case 'cell':
        this.#put({ ...message.cell, ring: this.cell(message.cell.name)?.ring });
        break;
      case 'cell-gone':
        this.#cells.delete(message.name);
        break;
      case 'ring': {
        const view = this.cell(message.cell);
        if (view) this.#put({ ...view, ring: message.ring });
        break;
      }
      case 'ping':
        return;
    }
    if (message.type !== 'ring') this.mapVersion = message.mapVersion;
  }

  #put(view: CellView): void {
    const before = this.#cells.get(view.name);
    const ring = before && before.view.ring === view.ring ? before.ring : new Ring(view.ring?.members ?? []);
    this.#cells.set(view.name, { view, ring });
  }
}
