// A log store over an unreliable way to an honest disk: answers are late or lost, writes arrive late or twice.
import type { MemoryLogs } from '../../workloads/app-server/log/memory-store.ts';
import { MemoryStore } from '../../workloads/app-server/log/memory-store.ts';
import {
  OutcomeUnknown,
  StoreUnavailable,
  type LogRow,
  type LogStore,
  type ReadLimits,
  type StoredPage,
  type StoredSnapshot,
} from '../../workloads/app-server/log/log-store.ts';
import type { Mutation } from './mutations.ts';
import type { Links } from './network.ts';
import type { SimProcess } from './process.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** The store client's own deadline. */
const CALL_TIMEOUT_MS = 8_000;

/** Longer than a session's timeout: a write may arrive after its writer has been replaced. */
const LATEST_MS = 9_000;

/** Snapshots that may be put back. */
const REPLACED = 5;

/** What happens to a write: most are fine. */
const FATES = ['refused', 'request lost', 'answer lost', 'late', 'slow', 'twice'] as const;

export type Disk = {
  logs: MemoryLogs;
  /** Earlier snapshots of each key. */
  replaced: Map<string, StoredSnapshot[]>;
  /** Told of each entry that is written, also of one that replaces another. */
  written: (key: string, seq: number, entry: Uint8Array) => void;
  /** How many writes meet a fate. */
  faultRate: number;
};

export type SimStoreParts = {
  world: World;
  process: SimProcess;
  links: Links;
  disk: Disk;
  random: Random;
  mutation: Mutation | undefined;
};

export class SimStore extends MemoryStore implements LogStore {
  readonly #parts: SimStoreParts;
  /** A mutation: what was read of some log, by number alone. */
  readonly #readBefore = new Map<number, LogRow[]>();

  constructor(parts: SimStoreParts) {
    super(parts.disk.logs);
    this.#parts = parts;
  }

  override async append(
    key: string,
    seq: number,
    entry: Uint8Array,
    bodies: readonly Uint8Array[] = [],
  ): Promise<'appended' | 'conflict'> {
    const { mutation } = this.#parts;
    const label = `append ${key} ${seq}`;
    const unknown = () =>
      mutation === 'no doubt'
        ? new StoreUnavailable(`${label}: taken for not written`)
        : new OutcomeUnknown(`${label}: no answer`);
    const answer = this.#write(label, () => this.#append(key, seq, entry, bodies), unknown);
    if (mutation !== 'no wait') return await answer;
    void answer.catch(() => {});
    return 'appended';
  }

  override async read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    const known = this.#readBefore.get(fromSeq);
    if (known) return known;
    const rows = await this.#read(`read ${key} from ${fromSeq}`, () => super.read(key, fromSeq, limits));
    if (this.#parts.mutation === 'no user in a key' && rows.length > 0) this.#readBefore.set(fromSeq, rows);
    return rows;
  }

  override getSnapshot(key: string): Promise<StoredSnapshot | undefined> {
    return this.#read(`read snapshot of ${key}`, () => super.getSnapshot(key));
  }

  override getPages(key: string, ids: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#read(`read ${ids.length} pages of ${key}`, () => super.getPages(key, ids));
  }

  override putSnapshot(key: string, snapshot: StoredSnapshot): Promise<void> {
    return this.#writeAside(`put snapshot ${snapshot.seq} of ${key}`, async () => {
      const { replaced, logs } = this.#parts.disk;
      const before = logs.snapshots.get(key);
      if (before) replaced.set(key, [...(replaced.get(key) ?? []), before].slice(-REPLACED));
      await super.putSnapshot(key, snapshot);
    });
  }

  override putPages(key: string, pages: readonly StoredPage[]): Promise<void> {
    return this.#writeAside(`put ${pages.length} pages of ${key}`, () => super.putPages(key, pages));
  }

  override deletePages(key: string, ids: readonly string[]): Promise<void> {
    return this.#writeAside(`delete ${ids.length} pages of ${key}`, () => super.deletePages(key, ids));
  }

  override dropSnapshot(key: string): Promise<void> {
    return this.#writeAside(`drop snapshot of ${key}`, () => super.dropSnapshot(key));
  }

  /** On the disk, at last. */
  async #append(key: string, seq: number, entry: Uint8Array, bodies: readonly Uint8Array[]) {
    const { disk, mutation } = this.#parts;
    const log = disk.logs.entries.get(key) ?? [];
    if (mutation === 'no compare' && log[seq - 1]) log[seq - 1] = { entry, bodies: [...bodies] };
    const result = await super.append(key, seq, entry, bodies);
    if (result === 'appended') disk.written(key, seq, entry);
    return result;
  }

  #read<T>(label: string, work: () => Promise<T>): Promise<T> {
    return this.#call(label, work, () => new StoreUnavailable(`${label}: no answer`), CALL_TIMEOUT_MS);
  }

  /** A write whose loss loses nothing. */
  #writeAside(label: string, work: () => Promise<void>): Promise<void> {
    return this.#write(label, work, () => new StoreUnavailable(`${label}: no answer`));
  }

  #write<T>(label: string, write: () => Promise<T>, unknown: () => Error): Promise<T> {
    const { world, process, links, disk, random } = this.#parts;
    const fate = random.chance(disk.faultRate) ? random.pick(FATES) : 'fine';
    const lateMs = random.between(CALL_TIMEOUT_MS / 2, LATEST_MS);
    if (fate !== 'fine') world.trace(`${process.name} ${label}: ${fate}`);
    if (links.up.cut && random.chance(0.5)) {
      return this.#call(label, 'nothing', () => new StoreUnavailable(`${label}: no connection`), 1);
    }
    const gone = () => void write().catch(() => {});
    switch (fate) {
      case 'refused':
        return this.#call(label, 'nothing', () => new StoreUnavailable(`${label}: refused`), 2);
      case 'request lost':
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'answer lost':
        links.up.send(label, gone);
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'late':
        links.up.send(`${label} late`, gone, lateMs);
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'slow':
        return this.#call(label, write, unknown, LATEST_MS + 500, lateMs);
      case 'twice':
        links.up.send(`${label} again`, gone, lateMs);
        return this.#call(label, write, unknown, CALL_TIMEOUT_MS);
      case 'fine':
        return this.#call(label, write, unknown, CALL_TIMEOUT_MS);
    }
  }

  #call<T>(
    label: string,
    work: (() => Promise<T>) | 'nothing',
    tooLate: () => Error,
    timeoutMs: number,
    extraMs = 0,
  ): Promise<T> {
    const { process, links } = this.#parts;
    return new Promise((resolve, reject) => {
      process.clock.after(timeoutMs, () => reject(tooLate()));
      if (work === 'nothing') return;
      const answer = (settle: () => void) => links.down.send(`answer to ${label}`, () => process.run(settle));
      links.up.send(
        label,
        () => {
          work().then(
            (value) => answer(() => resolve(value)),
            (error: unknown) => answer(() => reject(error)),
          );
        },
        extraMs,
      );
    });
  }
}
