// What the disk got and what was answered, checked against the invariants as it happens.
import { addToDigest, type DeliverResult, type Model, type ReadResult, type Written } from './model.ts';
import type { World } from './world.ts';

type KeyHistory = {
  entries: { bytes: string; entry: Written }[];
  /** Delivery key to id of what is on disk. */
  ids: Map<string, string>;
  /** What a reader of entry `seq` must see, by seq. */
  views: { count: number; digest: number }[];
  /** The newest entry that somebody has been told of: who asks from now on must see it. */
  floor: number;
  /** Acknowledged deliveries: key to id. */
  acknowledged: Map<string, string>;
  /** Attempts that are on disk, and those that were refused with an error that says that they are not. */
  attempts: Set<string>;
  refused: Set<string>;
  /** The entry by which it was moved to another cell last, when that was acknowledged. */
  movedAt: number;
};

const NOTHING = { count: 0, digest: 0 };

/** What a request must see at least, taken when it begins. */
export type Begun = {
  key: string;
  floor: number;
  /** Is it served by another cell, as far as anybody was told? */
  isAway: boolean;
};

export class History {
  readonly #world: World;
  readonly #model: Model;
  readonly #keys = new Map<string, KeyHistory>();
  reads = 0;
  acknowledged = 0;
  duplicates = 0;
  fences = 0;
  shared = 0;

  constructor(world: World, model: Model) {
    this.#world = world;
    this.#model = model;
  }

  /** The disk took an entry: invariant 2 (a number is given once), and the clock of a log. */
  written(key: string, seq: number, bytes: Uint8Array): void {
    const history = this.#of(key);
    const text = Buffer.from(bytes).toString('latin1');
    const there = history.entries[seq - 1];
    // A write that arrives twice. One that replaces another is seen by what it does to readers and writers.
    if (there) return;
    const entry = this.#model.decode(seq, bytes);
    history.entries.push({ bytes: text, entry });
    if (history.entries.length !== seq)
      this.#fail(`${key} got entry ${seq} after ${history.entries.length - 1}`);
    const before = history.entries[seq - 2]?.entry;
    if (before && entry.timeMs < before.timeMs)
      this.#fail(`time goes back in entry ${seq} of ${key} (invariant 3)`);
    if (entry.deliveries.length === 0) this.fences++;
    if (entry.deliveries.length > 1) this.shared++;
    let { count, digest } = history.views[seq - 1] ?? NOTHING;
    for (const { deliveryKey, attempt, id, hash } of entry.deliveries) {
      history.attempts.add(attempt);
      if (history.refused.has(attempt))
        this.#fail(`${attempt} was refused for certain and is written (invariant 1)`);
      if (history.ids.has(deliveryKey))
        this.#fail(`${deliveryKey} was delivered to ${key} twice (invariant 5)`);
      history.ids.set(deliveryKey, id);
      digest = addToDigest(digest, hash);
      count++;
    }
    history.views[seq] = { count, digest };
  }

  begin(key: string): Begun {
    return { key, floor: this.#of(key).floor, isAway: this.#isAway(key) };
  }

  /** A log was moved to another cell with this entry, and somebody was told so. */
  moved(key: string, seq: number): void {
    this.#of(key).movedAt = seq;
  }

  /** Something of a user is answered: not by this cell, while another one has the user. */
  checkHome({ key, isAway }: Begun, what: string): void {
    if (isAway && this.#isAway(key))
      this.#fail(`${what} ${key} was answered, who had moved to another cell (invariant 6)`);
  }

  hasEntry(key: string, seq: number): boolean {
    return this.#keys.get(key)?.entries[seq - 1] !== undefined;
  }

  /** @param id `seq.index` */
  hasDelivery(key: string, id: string): boolean {
    const { entry } = this.#keys.get(key)?.entries[Number.parseInt(id, 10) - 1] ?? {};
    return entry?.deliveries.some((delivery) => delivery.id === id) ?? false;
  }

  /** A delivery is acknowledged: invariants 1, 4 and 5. */
  acknowledge(begun: Begun, deliveryKey: string, result: DeliverResult): void {
    const { key, floor } = begun;
    const history = this.#of(key);
    this.checkHome(begun, 'a write of');
    this.acknowledged++;
    if (result.duplicate) this.duplicates++;
    if (result.strangers > 0) this.#fail(`a write of ${key} saw another's messages (invariant 6)`);
    if (history.ids.get(deliveryKey) !== result.id)
      this.#fail(`${deliveryKey} of ${key} is acknowledged as ${result.id} and not on disk (invariant 1)`);
    if (result.asOf < floor)
      this.#fail(`a write of ${key} saw entry ${result.asOf}, not ${floor} (invariant 4)`);
    history.floor = Math.max(history.floor, Number.parseInt(result.id, 10), result.asOf);
    history.acknowledged.set(deliveryKey, result.id);
  }

  /** A delivery is refused, and its error says that nothing was written. */
  refuse(key: string, attempt: string): void {
    const history = this.#of(key);
    history.refused.add(attempt);
    if (history.attempts.has(attempt))
      this.#fail(`${attempt} is refused for certain and was written (invariant 1)`);
  }

  /** A read is answered: invariants 3 and 4. */
  answer(begun: Begun, result: ReadResult): void {
    const { key, floor } = begun;
    const history = this.#of(key);
    this.checkHome(begun, 'a read of');
    this.reads++;
    if (result.strangers > 0) this.#fail(`a read of ${key} saw another's messages (invariant 6)`);
    if (result.seq < floor)
      this.#fail(`a read of ${key} saw entry ${result.seq}, not ${floor} (invariant 4)`);
    const due = history.views[result.seq];
    if (!due || due.count !== result.count || due.digest !== result.digest)
      this.#fail(`a read of ${key} at ${result.seq} was no fold of the log (invariant 3)`);
    history.floor = Math.max(history.floor, result.seq);
  }

  /** At the end: the logs as they are on disk are what was seen to be written, and hold all that was acknowledged. */
  checkDisk(logs: ReadonlyMap<string, readonly { entry: Uint8Array }[]>): void {
    for (const [key, history] of this.#keys) {
      const onDisk = (logs.get(key) ?? []).map(({ entry }) => Buffer.from(entry).toString('latin1'));
      const seen = history.entries.map(({ bytes }) => bytes);
      if (JSON.stringify(onDisk) !== JSON.stringify(seen))
        this.#fail(`the log of ${key} was changed (invariant 2)`);
      for (const [deliveryKey, id] of history.acknowledged) {
        if (history.ids.get(deliveryKey) !== id) this.#fail(`${deliveryKey} of ${key} is lost (invariant 1)`);
      }
    }
  }

  /** Nothing has come after the move yet. */
  #isAway(key: string): boolean {
    const { movedAt, entries } = this.#of(key);
    return movedAt > 0 && movedAt === entries.length;
  }

  #of(key: string): KeyHistory {
    let history = this.#keys.get(key);
    if (!history) {
      history = {
        entries: [],
        ids: new Map(),
        views: [NOTHING],
        floor: 0,
        acknowledged: new Map(),
        attempts: new Set(),
        refused: new Set(),
        movedAt: 0,
      };
      this.#keys.set(key, history);
    }
    return history;
  }

  #fail(message: string): void {
    this.#world.fail(message);
  }
}
