// One key's log in this process: its image, the requests that wait, the append under way.
import { inSpan, type Place } from '../../common/tracing.ts';
import { OutcomeUnknown, StoreUnavailable } from './log-store.ts';
import { PageLost } from './page-missing.ts';
import { lookAt } from './pages.ts';
import { appendSettled } from './settle.ts';
import { Misdirected } from './user-log-errors.ts';
import type { ReadAhead } from './read-ahead.ts';
import { openImage, type Image, type LogParts } from './user-log-open.ts';
import { saveImage } from './user-log-snapshot.ts';
import type { Look, Transaction } from './user-log-types.ts';
import { EntryDraft, type Outcome } from './writer.ts';

/** A snapshot is due after so many entries or bytes of entries: what opening the log has to replay at most. */
const DUE_ENTRIES = 256;
const DUE_BYTES = 1024 * 1024;
/** Or when so much memory is bound by parts that are in no snapshot. */
const DUE_MEMORY_BYTES = 512 * 1024;
/** With fewer entries since the last one, a log that is put away needs no snapshot: they are replayed in no time. */
const WORTH_SAVING_ENTRIES = 32;
/** An image's memory is added up again after so many entries: a few hundred bytes each. */
const SIZED_AGAIN_ENTRIES = 16;
/** What an image keeps in memory while nobody uses it. */
const IDLE_BYTES = 1024 * 1024;

/** What a client is told to wait when a log was moved: so long it takes until the map says so. */
const MOVED_MS = 25;

const NOTHING = Promise.resolve();

export type Settle = {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  /** When it was asked for, if that is measured. */
  askedAt?: number;
  requestId?: string | undefined;
  /** Where it was asked for, in its trace. */
  place?: Place | undefined;
};
export type ReadFunction<S, T> = (state: S, seq: number, look: Look) => T | Promise<T>;
export type ReadRequest<S> = Settle & { kind: 'read'; fn: ReadFunction<S, unknown> };
export type WriteRequest<S, A> = Settle & { kind: 'write'; fn: (tx: Transaction<S, A>) => unknown };

/** Of all logs: one that nobody uses should not take more memory than its image. */
export type KeyLogEvents<S, A> = {
  /** Its state was made, from its snapshot or its log. */
  opened(key: string, state: S): void;
  appended(key: string, seq: number, state: S): void;
  /** Nothing waits and nothing is under way. */
  idle(log: KeyLog<S, A>): void;
  /** So many requests don't wait any more. */
  taken(count: number): void;
  /** A snapshot could not be stored; or a page of one is gone, and the log is replayed. */
  snapshotFailed(key: string, error: unknown): void;
};

/**
 * Works off the requests of a key: reads at once, from the last state that is durable; writes in turns, in which all that
 * wait share an entry. So nobody sees what is not durable, and nobody waits for a reader.
 *
 * Who may be answered (invariants 2 and 4): the gate is asked before a function runs, right before the append, and again
 * before a read is answered. A write that became durable is acknowledged even if ownership was lost meanwhile: a later
 * owner either replayed this entry, or its fence stands on this number and our append lost. There is no third case, as the
 * later owner serves only after its fence is durable. (Entry 1 has no fence before it: it is acknowledged only while we
 * still own the key, as then the later owner's replay begins after the entry was durable.)
 */
export class KeyLog<S, A> {
  readonly key: string;
  readonly #parts: LogParts<S, A>;
  readonly #ahead: ReadAhead<S, A>;
  readonly #events: KeyLogEvents<S, A>;
  #reads: ReadRequest<S>[] = [];
  readonly #writes: WriteRequest<S, A>[] = [];
  #image: Image<S> | undefined;
  #readers = 0;
  #busy = false;
  /** Settles when what is under way now is over. */
  #step = NOTHING;
  #released = false;
  #saving: Promise<void> | undefined;
  /** What the image took of memory when that was last added up; undefined after pages were loaded. */
  #sized: { seq: number; bytes: number } | undefined;
  readonly #untilIdle: (() => void)[] = [];

  constructor(key: string, parts: LogParts<S, A>, ahead: ReadAhead<S, A>, events: KeyLogEvents<S, A>) {
    this.key = key;
    this.#parts = parts;
    this.#ahead = ahead;
    this.#events = events;
  }

  get waiting(): number {
    return this.#reads.length + this.#writes.length;
  }

  get isOpen(): boolean {
    return this.#image !== undefined;
  }

  get isBusy(): boolean {
    return this.#busy || this.#readers > 0;
  }

  submit(request: ReadRequest<S> | WriteRequest<S, A>): void {
    if (this.#parts.metrics) request.askedAt = performance.now();
    if (request.kind === 'write') this.#writes.push(request);
    else if (this.#image && !this.#released) {
      this.#events.taken(1);
      return void this.#read(this.#image, request);
    } else this.#reads.push(request);
    if (!this.#busy) void this.#work();
  }

  /** Forgets the image once what is under way is over. */
  async release(): Promise<void> {
    if (!this.#busy) {
      this.#image = undefined;
      return;
    }
    this.#released = true;
    await this.#step;
  }

  /** Forgets the image, and trusts no snapshot when it is opened again. */
  async distrust(): Promise<void> {
    this.#parts.distrusted.add(this.key);
    await this.#saving;
    await this.release();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async whenIdle(): Promise<void> {
    if (this.isBusy) await new Promise<void>((resolve) => this.#untilIdle.push(resolve));
    await this.#saving;
  }

  /**
   * Tidies the memory of an image that nobody uses now, and begins a snapshot when one is due.
   * @returns what it takes of memory then
   */
  settle(): number {
    const { fold } = this.#parts;
    const image = this.#image;
    if (!image) return 0;
    if (this.#sized && image.seq - this.#sized.seq < SIZED_AGAIN_ENTRIES) return this.#sized.bytes;
    let { bytes, unsavedBytes } = fold.size(image.state);
    if (unsavedBytes > DUE_MEMORY_BYTES) void this.save(1);
    if (bytes > IDLE_BYTES && fold.unload) {
      fold.unload(image.state, IDLE_BYTES);
      if (image.saved) fold.unload(image.saved.state, IDLE_BYTES);
      bytes = fold.size(image.state).bytes;
    }
    this.#sized = { seq: image.seq, bytes };
    return bytes;
  }

  /** Stores a snapshot, unless the last one is hardly older. Resolves when it is stored, or failed. */
  async save(minEntries = WORTH_SAVING_ENTRIES): Promise<void> {
    const image = this.#image;
    if (!image || image.seq - (image.saved?.seq ?? 0) < minEntries) return;
    const startedAt = performance.now();
    this.#saving ??= saveImage(this.key, this.#parts, image)
      .then(() => {
        this.#parts.distrusted.delete(this.key);
        this.#parts.metrics?.snapshot.since(startedAt);
      })
      .catch((error: unknown) => this.#events.snapshotFailed(this.key, error))
      .finally(() => (this.#saving = undefined));
    await this.#saving;
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.waiting > 0) {
      this.#step = this.#next().catch((error) => this.#refuse(error));
      await this.#step;
      if (this.#released) this.#image = undefined;
      this.#released = false;
    }
    this.#busy = false;
    this.#step = NOTHING;
    this.#idle();
  }

  async #next(): Promise<void> {
    this.#parts.gate.assertOwner(this.key);
    if (!this.#image) {
      this.#image = await this.#open();
      this.#sized = undefined;
      if (this.#isServed(this.#image.state)) this.#events.opened(this.key, this.#image.state);
      this.#saveIfDue(this.#image);
      // Released or not owned any more by now: the next step sees to it.
      return;
    }
    if (!this.#isServed(this.#image.state)) return this.#rejectAll(this.#moved());
    const reads = this.#takeReads();
    this.#events.taken(reads.length);
    for (const request of reads) {
      this.#begins(request);
      void this.#read(this.#image, request);
    }
    if (this.#writes.length > 0) await this.#write(this.#image);
  }

  async #open(): Promise<Image<S>> {
    const startedAt = performance.now();
    try {
      return await openImage(this.key, this.#parts, !this.#parts.distrusted.has(this.key), this.#ahead);
    } catch (error) {
      if (!(error instanceof PageLost)) throw error;
      this.#lost(error);
      return await openImage(this.key, this.#parts, false);
    } finally {
      this.#parts.metrics?.open.since(startedAt);
    }
  }

  #begins({ askedAt }: Settle): void {
    if (askedAt !== undefined) this.#parts.metrics?.queue.since(askedAt);
  }

  #isServed(state: S): boolean {
    return this.#parts.isServedHere?.(state) !== false;
  }

  /** Without an owner: the map of cells will tell soon, if it does not yet. */
  #moved(): Misdirected {
    return new Misdirected(this.key, undefined, 0, MOVED_MS);
  }

  #saveIfDue({ seq, saved, unsavedBytes }: Image<S>): void {
    const isDue = seq - (saved?.seq ?? 0) >= DUE_ENTRIES || unsavedBytes >= DUE_BYTES;
    if (isDue || this.#parts.distrusted.has(this.key)) void this.save(1);
  }

  /** A part of the state is gone: it comes back by a replay of the whole log. */
  #lost(error: PageLost): void {
    this.#parts.distrusted.add(this.key);
    this.#image = undefined;
    this.#events.snapshotFailed(this.key, error);
  }

  #refuse(error: unknown): void {
    this.#image = undefined;
    this.#rejectAll(error);
  }

  #rejectAll(error: unknown): void {
    const refused = [...this.#takeReads(), ...this.#writes.splice(0)];
    this.#events.taken(refused.length);
    for (const request of refused) request.reject(error);
  }

  #takeReads(): ReadRequest<S>[] {
    const reads = this.#reads;
    this.#reads = [];
    return reads;
  }

  async #read({ state, seq }: Image<S>, request: ReadRequest<S>): Promise<void> {
    const { gate } = this.#parts;
    this.#readers++;
    try {
      gate.assertOwner(this.key);
      if (!this.#isServed(state)) throw this.#moved();
      const look = this.#look();
      const outcome = await settled(() => look(() => request.fn(state, seq, look)));
      gate.assertOwner(this.key);
      answer(request, this.#translated(outcome));
    } catch (error) {
      request.reject(error);
    } finally {
      this.#readers--;
      this.#idle();
    }
  }

  async #write(image: Image<S>): Promise<void> {
    const { codec, fold, gate, clock, store } = this.#parts;
    const seq = image.seq + 1;
    const timeMs = Math.max(image.timeMs, clock.wall());
    const writer = this.#parts.nextWriter();
    const draft = new EntryDraft({ codec, fold, state: image.state, seq, timeMs, writer });
    const look = this.#look();
    const done: { request: WriteRequest<S, A>; outcome: Outcome<unknown> }[] = [];
    for (
      let first = this.#writes[0];
      // What waits behind a move belongs to the new cell: the entry that says so ends with it.
      first && !draft.full && this.#isServed(draft.state);
      first = this.#writes[0]
    ) {
      this.#writes.shift();
      this.#begins(first);
      this.#events.taken(1);
      const outcome = draft.run(first.fn, look);
      done.push({
        request: first,
        outcome: this.#translated(outcome instanceof Promise ? await outcome : outcome),
      });
    }
    try {
      // Answers of transactions that added nothing are reads, also those that refuse.
      gate.assertOwner(this.key);
      if (!draft.isEmpty) {
        const append = { key: this.key, seq, entry: draft.encode(), bodies: draft.bodies };
        const startedAt = performance.now();
        const [parent, ...links] = done.flatMap(({ request }) => request.place ?? []);
        const result = await inSpan(
          'append',
          () => appendSettled(store, clock, append, () => gate.assertOwner(this.key)),
          { parent, links },
        );
        this.#parts.metrics?.append.since(startedAt);
        this.#parts.onStored?.(undefined);
        if (result === 'conflict') throw gate.redirect(this.key);
        image.state = draft.state;
        image.seq = seq;
        image.timeMs = timeMs;
        image.unsavedBytes += append.entry.byteLength;
        if (seq === 1) this.#assertStillOwner();
        this.#events.appended(this.key, seq, image.state);
        this.#parts.onAppend?.(
          this.key,
          seq,
          done.flatMap(({ request }) => request.requestId ?? []),
        );
        if (seq - (image.saved?.seq ?? 0) >= DUE_ENTRIES || image.unsavedBytes >= DUE_BYTES)
          void this.save(1);
      }
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof OutcomeUnknown) this.#parts.onStored?.(error);
      this.#image = undefined;
      for (const { request } of done) request.reject(error);
      return;
    }
    for (const { request, outcome } of done) answer(request, outcome);
  }

  #assertStillOwner(): void {
    try {
      this.#parts.gate.assertOwner(this.key);
    } catch (cause) {
      throw new OutcomeUnknown(`${this.key} got another owner while its log was begun`, { cause });
    }
  }

  /** A request that met a lost page may be asked again: by then the state has been made anew. */
  #translated(outcome: Outcome<unknown>): Outcome<unknown> {
    if (outcome.ok || !(outcome.error instanceof PageLost)) return outcome;
    this.#lost(outcome.error);
    return {
      ok: false,
      error: new StoreUnavailable(`a part of ${this.key} is made anew`, { cause: outcome.error }),
    };
  }

  #idle(): void {
    if (this.isBusy) return;
    for (const resolve of this.#untilIdle.splice(0)) resolve();
    this.#events.idle(this);
  }

  #look(): Look {
    const { store, clock } = this.#parts;
    return lookAt(store, clock, this.key, () => (this.#sized = undefined));
  }
}

function answer(request: Settle, outcome: Outcome<unknown>): void {
  if (outcome.ok) request.resolve(outcome.value);
  else request.reject(outcome.error);
}

async function settled(run: () => Promise<unknown>): Promise<Outcome<unknown>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    return { ok: false, error };
  }
}
