// A copy of all objects of one type, kept by list and watch. It always comes back: an error, an end, a silence or a 410
// only delay it. Listeners get keys and objects and must be quick: they enqueue; what they throw is logged, never lost.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../workloads/common/log.ts';
import { isGone } from './api-error.ts';
import type { KubeApi } from './api.ts';
import type { OperatorMetrics } from './metrics.ts';
import { keyOf, type KubeObject, type ResourceType } from './resources.ts';

/** Between two attempts; doubles from the first to the second while they fail. */
const MIN_DELAY_MS = 50;
const MAX_DELAY_MS = 5_000;
/** After so many failed watches in a row the list is taken anew: the version may be of a store that is no more. */
const FAILURES_BEFORE_LIST = 5;
/** Deleted uids that are remembered, so that a late answer to a write brings no object back. */
const MAX_REMEMBERED_DELETIONS = 1_000;

export type CacheOptions<T> = {
  api: KubeApi;
  type: ResourceType;
  /** For instance `{labelSelector: 'app.kubernetes.io/managed-by=cellpost'}`. */
  query?: Record<string, string>;
  logger: Logger;
  metrics: OperatorMetrics;
  /** Called after the cache has the change; for a deleted object with what it last was. */
  onChange?: (object: T) => void;
  /** The group that an object is found by with `group()`. */
  groupOf?: (object: T) => string | undefined;
};

export class WatchCache<T extends KubeObject> {
  readonly type: ResourceType;
  /** Resolves when the first list is in; never rejects. */
  readonly synced: Promise<void>;
  readonly #options: CacheOptions<T>;
  readonly #objects = new Map<string, T>();
  /** The same objects by their group. */
  readonly #groups = new Map<string, Map<string, T>>();
  readonly #deleted = new Set<string>();
  readonly #closed = new AbortController();
  #resourceVersion: string | undefined;
  #markSynced: () => void = () => undefined;
  #isSynced = false;
  #running: Promise<void>;

  constructor(options: CacheOptions<T>) {
    this.#options = options;
    this.type = options.type;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    this.#running = this.#run();
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#objects.get(keyOf({ metadata: { namespace, name } }));
  }

  /** All objects, or those of one namespace. */
  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  /** The objects of one group, without a look at all others. */
  group(name: string): T[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  /**
   * Takes over the API server's answer to a write, so that the next look sees it before the watch tells of it. An
   * answer that is older than what is known changes nothing.
   */
  observe(object: T): void {
    slim(object);
    const uid = object.metadata.uid;
    if (uid && this.#deleted.has(uid)) return;
    const known = this.#objects.get(keyOf(object));
    if (known && !isNewer(object, known)) return;
    this.#set(object);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger, metrics, type } = this.#options;
    const signal = this.#closed.signal;
    let failures = 0;
    while (!signal.aborted) {
      let cause = 'ended';
      try {
        if (this.#resourceVersion === undefined || failures >= FAILURES_BEFORE_LIST) await this.#relist();
        await this.#follow(() => {
          failures = 0;
        });
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures++;
        cause = isGone(error) ? 'gone' : 'error';
        if (isGone(error)) this.#resourceVersion = undefined;
        const level = failures > 1 ? 'warn' : 'debug';
        logger[level]({ err: error, resource: type.plural, failures }, 'a watch failed and will come back');
      }
      metrics.watchRestarts.inc({ resource: type.plural, cause });
      const delayMs = Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** Math.min(failures, 10));
      await sleep(delayMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  async #relist(): Promise<void> {
    const { api, type, query } = this.#options;
    const { items, resourceVersion } = await api.list<T>(type, query, {
      signal: this.#closed.signal,
    });
    const gone = new Map(this.#objects);
    for (const item of items) {
      const known = gone.get(keyOf(item));
      gone.delete(keyOf(item));
      // Deleted and made again while nobody looked: whoever cares about the old one must hear of it.
      if (known && known.metadata.uid !== item.metadata.uid) this.#remove(known);
      this.#put(item);
    }
    for (const object of gone.values()) this.#remove(object);
    this.#resourceVersion = resourceVersion;
    this.#isSynced = true;
    this.#markSynced();
  }

  async #follow(onEvent: () => void): Promise<void> {
    const { api, type, query = {} } = this.#options;
    const from = this.#resourceVersion ?? '';
    for await (const { type: what, object } of api.watch<T>(type, from, query, this.#closed.signal)) {
      if (what === 'DELETED') this.#remove(object);
      else if (what !== 'BOOKMARK') this.#put(object);
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
      onEvent();
    }
  }

  #put(object: T): void {
    slim(object);
    const known = this.#objects.get(keyOf(object));
    const unchanged = known?.metadata.resourceVersion === object.metadata.resourceVersion;
    if (known && known.metadata.uid === object.metadata.uid && !unchanged && !isNewer(object, known)) return;
    this.#set(object);
    // An answer taken over by observe() has been seen by nobody yet, so it is told of although it is known.
    this.#tell(object);
  }

  #remove(object: T): void {
    const uid = object.metadata.uid;
    if (uid) {
      this.#deleted.add(uid);
      const [oldest] = this.#deleted;
      if (oldest !== undefined && this.#deleted.size > MAX_REMEMBERED_DELETIONS) this.#deleted.delete(oldest);
    }
    const known = this.#objects.get(keyOf(object));
    if (known && known.metadata.uid === uid) this.#drop(known);
    this.#tell(object);
  }

  #set(object: T): void {
    const known = this.#objects.get(keyOf(object));
    if (known) this.#drop(known);
    this.#objects.set(keyOf(object), object);
    const name = this.#options.groupOf?.(object);
    if (name === undefined) return;
    const group = this.#groups.get(name) ?? new Map<string, T>();
    this.#groups.set(name, group.set(keyOf(object), object));
  }

  #drop(object: T): void {
    this.#objects.delete(keyOf(object));
    const name = this.#options.groupOf?.(object);
    const group = name === undefined ? undefined : this.#groups.get(name);
    if (name === undefined || !group) return;
    group.delete(keyOf(object));
    if (group.size === 0) this.#groups.delete(name);
  }

  #tell(object: T): void {
    try {
      this.#options.onChange?.(object);
    } catch (error) {
      this.#options.logger.error(
        { err: error, resource: this.type.plural, object: keyOf(object) },
        'a listener of a watch failed',
      );
    }
  }
}

/** Drops who set which field: nobody here asks, and it is a large part of an object's memory. */
function slim(object: KubeObject): void {
  if ('managedFields' in object.metadata) delete object.metadata.managedFields;
}

/** Resource versions are decimal numbers that grow: the API promises it since 1.35, and every version has done so. */
function isNewer(object: KubeObject, than: KubeObject): boolean {
  const [a = '', b = ''] = [object.metadata.resourceVersion, than.metadata.resourceVersion];
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return a !== b;
  return BigInt(a) > BigInt(b);
}
