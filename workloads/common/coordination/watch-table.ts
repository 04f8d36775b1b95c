// The watches that a session has set, by path. Like ZooKeeper's own clients, it holds each until it fires once.
import type { WatchEvent, Watcher } from './coordination.ts';

/** What a watch was left by: reading a node, finding none, listing children. */
export type WatchKind = 'data' | 'exists' | 'children';

/** Which watches an event fires. */
const FIRES: Record<WatchEvent['type'], WatchKind[]> = {
  created: ['data', 'exists'],
  changed: ['data', 'exists'],
  children: ['children'],
  deleted: ['data', 'exists', 'children'],
};

export class WatchTable {
  readonly #byKind: Record<WatchKind, Map<string, Set<Watcher>>> = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
  };

  /** The same watcher twice for a path and kind is one. */
  add(kind: WatchKind, path: string, watcher: Watcher): void {
    const byPath = this.#byKind[kind];
    const watchers = byPath.get(path);
    if (watchers) watchers.add(watcher);
    else byPath.set(path, new Set([watcher]));
  }

  /** Takes off and returns the watchers that an event is for. */
  take(event: WatchEvent): Watcher[] {
    const taken = new Set<Watcher>();
    for (const kind of FIRES[event.type]) {
      for (const watcher of this.#byKind[kind].get(event.path) ?? []) taken.add(watcher);
      this.#byKind[kind].delete(event.path);
    }
    return [...taken];
  }

  paths(kind: WatchKind): string[] {
    return [...this.#byKind[kind].keys()];
  }

  clear(): void {
    for (const byPath of Object.values(this.#byKind)) byPath.clear();
  }
}
