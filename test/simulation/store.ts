// A log store over an unreliable way to an honest disk: answers are late or lost, writes arrive late or twice.
import type { MemoryLogs } from '../../workloads/app-server/log/memory-store.ts';
import { MemoryStore } from '../../workloads/app-server/log/memory-store.ts';
import {
  OutcomeUnknown,
  StoreUnavailable,
  type LogRow,
  type LogStore,
  type ReadLimits,
} from '../../workloads/app-server/log/log-store.ts';
import type { Link } from './link.ts';
import type { SimProcess } from './process.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** The store client's own deadline. */
const CALL_TIMEOUT_MS = 8_000;

/** Longer than a session's timeout: a write may arrive after its writer has been replaced. */
const LATEST_MS = 9_000;

/** What happens to a write: most are fine. */
const FATES = ['refused', 'request lost', 'answer lost', 'late', 'slow', 'twice'] as const;

export type Disk = {
  logs: MemoryLogs;
  /** Told of each entry that is written, also of one that replaces another. */
  written: (key: string, seq: number, entry: Uint8Array) => void;
  /** A mutation: takes any entry. */
  overwrites: boolean;
  /** How many writes meet a fate. */
  faultRate: number;
};

export class SimStore extends MemoryStore implements LogStore {
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #links: { up: Link; down: Link };
  readonly #disk: Disk;
  readonly #random: Random;

  constructor(
    world: World,
    process: SimProcess,
    links: { up: Link; down: Link },
    disk: Disk,
    random: Random,
  ) {
    super(disk.logs);
    this.#world = world;
    this.#process = process;
    this.#links = links;
    this.#disk = disk;
    this.#random = random;
  }

  override append(
    key: string,
    seq: number,
    entry: Uint8Array,
    bodies: readonly Uint8Array[] = [],
  ): Promise<'appended' | 'conflict'> {
    const label = `append ${key} ${seq}`;
    const random = this.#random;
    const fate = random.chance(this.#disk.faultRate) ? random.pick(FATES) : 'fine';
    const unknown = () => new OutcomeUnknown(`${label}: no answer`);
    const write = () => this.#write(key, seq, entry, bodies);
    const lateMs = random.between(CALL_TIMEOUT_MS / 2, LATEST_MS);
    if (fate !== 'fine') this.#world.trace(`${this.#process.name} ${label}: ${fate}`);
    if (this.#links.up.cut && random.chance(0.5)) {
      return this.#call(label, 'nothing', () => new StoreUnavailable(`${label}: no connection`), 1);
    }
    switch (fate) {
      case 'refused':
        return this.#call(label, 'nothing', () => new StoreUnavailable(`${label}: refused`), 2);
      case 'request lost':
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'answer lost':
        this.#links.up.send(label, () => void write());
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'late':
        this.#links.up.send(`${label} late`, () => void write(), lateMs);
        return this.#call(label, 'nothing', unknown, random.between(5, CALL_TIMEOUT_MS));
      case 'slow':
        return this.#call(label, write, unknown, LATEST_MS + 500, lateMs);
      case 'twice':
        this.#links.up.send(`${label} again`, () => void write(), lateMs);
        return this.#call(label, write, unknown, CALL_TIMEOUT_MS);
      case 'fine':
        return this.#call(label, write, unknown, CALL_TIMEOUT_MS);
    }
  }

  override read(key: string, fromSeq: number, limits: ReadLimits): Promise<LogRow[]> {
    const label = `read ${key} from ${fromSeq}`;
    const late = () => new StoreUnavailable(`${label}: no answer`);
    return this.#call(label, () => super.read(key, fromSeq, limits), late, CALL_TIMEOUT_MS);
  }

  async #write(key: string, seq: number, entry: Uint8Array, bodies: readonly Uint8Array[]) {
    const log = this.#disk.logs.entries.get(key) ?? [];
    if (this.#disk.overwrites && log[seq - 1]) log[seq - 1] = { entry, bodies: [...bodies] };
    const result = await super.append(key, seq, entry, bodies);
    if (result === 'appended') this.#disk.written(key, seq, entry);
    return result;
  }

  #call<T>(
    label: string,
    work: (() => Promise<T>) | 'nothing',
    tooLate: () => Error,
    timeoutMs: number,
    extraMs = 0,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#process.clock.after(timeoutMs, () => reject(tooLate()));
      if (work === 'nothing') return;
      const answer = (settle: () => void) =>
        this.#links.down.send(`answer to ${label}`, () => this.#process.run(settle));
      this.#links.up.send(
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
