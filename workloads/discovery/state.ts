// All that discovery knows, in memory, and whoever follows it. Changes come in from the coordinations and go out as
// messages in the order in which they were applied.
import { Directory, type CellView } from '../common/cell-client/directory.ts';
import type { CellRecord, DirectoryMessage, Snapshot } from '../common/cell-client/directory-messages.ts';
import type { BucketMap } from '../common/cell-client/buckets.ts';
import type { RingView } from '../common/ring/ring.ts';

/** The whole of discovery's own coordination, as read at one moment. */
export type MapState = {
  /** The newest transaction number among it. */
  version: number;
  cells: CellRecord[];
  buckets: BucketMap;
  exceptions: Map<string, string>;
  /** Keys whose logs are being ended in one cell to go on in another. */
  ending: Map<string, { from: string; to: string }>;
};

type Listener = (message: DirectoryMessage) => void;

export class DiscoveryState {
  readonly directory = new Directory();
  readonly #listeners = new Set<Listener>();
  #known = false;

  /** False until a map was read from the coordination or from a file. */
  get known(): boolean {
    return this.#known;
  }

  restore(snapshot: Snapshot): void {
    this.#known = true;
    this.#apply(snapshot);
  }

  snapshot(): Snapshot {
    const { directory } = this;
    return {
      type: 'snapshot',
      mapVersion: directory.mapVersion,
      buckets: directory.buckets.encode(),
      exceptions: [...directory.exceptions],
      cells: directory.cells().map((view) => Object.assign({}, view, { ring: view.ring ?? null })),
    };
  }

  /** Takes a reading of discovery's own coordination over: only what differs becomes messages. */
  update(next: MapState): void {
    const { directory } = this;
    const mapVersion = next.version;
    const names = new Set(next.cells.map((cell) => cell.name));
    for (const cell of next.cells) {
      if (!sameRecord(cell, directory.cell(cell.name))) this.#apply({ type: 'cell', mapVersion, cell });
    }
    const buckets = next.buckets.changesSince(directory.buckets);
    if (buckets.length > 0) this.#apply({ type: 'buckets', mapVersion, changes: buckets });
    const exceptions = differences(directory.exceptions, next.exceptions);
    if (exceptions.length > 0) this.#apply({ type: 'exceptions', mapVersion, changes: exceptions });
    for (const { name } of directory.cells()) {
      if (!names.has(name)) this.#apply({ type: 'cell-gone', mapVersion, name });
    }
    this.#known = true;
    directory.mapVersion = mapVersion;
  }

  updateRing(cell: string, ring: RingView): void {
    if (this.directory.cell(cell)) this.#apply({ type: 'ring', cell, ring });
  }

  /** @returns what takes the listener off again */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #apply(message: DirectoryMessage): void {
    this.directory.apply(message);
    for (const listener of this.#listeners) listener(message);
  }
}

function sameRecord(cell: CellRecord, view: CellView | undefined): boolean {
  return (
    view !== undefined &&
    cell.state === view.state &&
    cell.dataCenter === view.dataCenter &&
    cell.coordination === view.coordination
  );
}

function differences(before: Map<string, string>, after: Map<string, string>): [string, string | null][] {
  const changes: [string, string | null][] = [];
  for (const [key, cell] of after) if (before.get(key) !== cell) changes.push([key, cell]);
  for (const key of before.keys()) if (!after.has(key)) changes.push([key, null]);
  return changes;
}
