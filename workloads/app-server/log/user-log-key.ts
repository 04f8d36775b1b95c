// One key's log in this process: its image, the requests that wait, the append under way.
import { delay } from '../../common/clock.ts';
import { OutcomeUnknown } from './log-store.ts';
import { appendSettled } from './settle.ts';
import { openImage, type Image, type LogParts } from './user-log-open.ts';
import type { Transaction } from './user-log-types.ts';
import { EntryDraft, type Outcome } from './writer.ts';

/** How long an asynchronous reader keeps writers out; then it keeps the image to itself and the writer opens another. */
const READER_PATIENCE_MS = 1_000;

type Settle = { resolve: (value: unknown) => void; reject: (error: unknown) => void };
export type ReadRequest<S> = Settle & { kind: 'read'; fn: (state: S, seq: number) => unknown };
export type WriteRequest<S, A> = Settle & { kind: 'write'; fn: (tx: Transaction<S, A>) => unknown };

type OpenImage<S> = Image<S> & { readers: number; readersGone: (() => void)[] };

export type KeyLogEvents<S> = {
  appended(seq: number, state: S): void;
  /** Nothing waits and nothing is under way. */
  idle(): void;
  /** So many requests don't wait any more. */
  taken(count: number): void;
};

/**
 * Works off the requests of a key in turns: all reads that wait, side by side, then all writes that wait, which share an
 * entry. While an entry is under way everything else waits, so nobody sees what is not durable.
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
  readonly #events: KeyLogEvents<S>;
  #reads: ReadRequest<S>[] = [];
  readonly #writes: WriteRequest<S, A>[] = [];
  #image: OpenImage<S> | undefined;
  #busy = false;
  /** Writers have waited for the readers before them: readers that came later wait for these writers. */
  #writersTurn = false;
  /** Settles when what is under way now is over. */
  #step: Promise<void> = Promise.resolve();
  #released = false;
  readonly #untilIdle: (() => void)[] = [];

  constructor(key: string, parts: LogParts<S, A>, events: KeyLogEvents<S>) {
    this.key = key;
    this.#parts = parts;
    this.#events = events;
  }

  get waiting(): number {
    return this.#reads.length + this.#writes.length;
  }

  get isOpen(): boolean {
    return this.#image !== undefined;
  }

  get sizeBytes(): number {
    return this.#image?.sizeBytes ?? 0;
  }

  get isBusy(): boolean {
    return this.#busy || (this.#image?.readers ?? 0) > 0;
  }

  submit(request: ReadRequest<S> | WriteRequest<S, A>): void {
    if (request.kind === 'read') this.#reads.push(request);
    else this.#writes.push(request);
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

  /** Resolves when nothing waits and nothing is under way. */
  async whenIdle(): Promise<void> {
    if (this.isBusy) await new Promise<void>((resolve) => this.#untilIdle.push(resolve));
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
    this.#idle();
  }

  async #next(): Promise<void> {
    let image: OpenImage<S>;
    try {
      this.#parts.gate.assertOwner(this.key);
      if (!this.#image) {
        this.#image = { ...(await openImage(this.key, this.#parts)), readers: 0, readersGone: [] };
        // Released or not owned any more by now: the next step sees to it.
        return;
      }
      image = this.#image;
    } catch (error) {
      return this.#refuse(error);
    }
    if (!this.#writersTurn) {
      const reads = this.#takeReads();
      this.#events.taken(reads.length);
      for (const request of reads) void this.#read(image, request);
    }
    this.#writersTurn = this.#writes.length > 0 && image.readers > 0;
    if (this.#writersTurn) await this.#waitForReaders(image);
    else if (this.#writes.length > 0) await this.#write(image);
  }

  #refuse(error: unknown): void {
    this.#image = undefined;
    const refused = [...this.#takeReads(), ...this.#writes.splice(0)];
    this.#events.taken(refused.length);
    for (const request of refused) request.reject(error);
  }

  #takeReads(): ReadRequest<S>[] {
    const reads = this.#reads;
    this.#reads = [];
    return reads;
  }

  async #read(image: OpenImage<S>, request: ReadRequest<S>): Promise<void> {
    image.readers++;
    try {
      const outcome = await settled(request.fn, image);
      this.#parts.gate.assertOwner(this.key);
      answer(request, outcome);
    } catch (error) {
      request.reject(error);
    } finally {
      image.readers--;
      if (image.readers === 0) {
        for (const gone of image.readersGone.splice(0)) gone();
        this.#idle();
      }
    }
  }

  async #waitForReaders(image: OpenImage<S>): Promise<void> {
    const gone = new Promise<void>((resolve) => image.readersGone.push(resolve));
    const patience = new AbortController();
    await Promise.race([gone, delay(this.#parts.clock, READER_PATIENCE_MS, patience.signal).catch(() => {})]);
    patience.abort();
    // What the reader holds nobody changes any more: it ends with the state that it began with.
    if (image.readers > 0 && this.#image === image) this.#image = undefined;
  }

  async #write(image: OpenImage<S>): Promise<void> {
    const { codec, fold, gate, clock, store } = this.#parts;
    const seq = image.seq + 1;
    const timeMs = Math.max(image.timeMs, clock.wall());
    const draft = new EntryDraft({
      codec,
      fold,
      state: image.state,
      seq,
      timeMs,
      writer: this.#parts.nextWriter(),
    });
    const done: { request: WriteRequest<S, A>; outcome: Outcome<unknown> }[] = [];
    for (let first = this.#writes[0]; first && !draft.full; first = this.#writes[0]) {
      this.#writes.shift();
      this.#events.taken(1);
      done.push({ request: first, outcome: draft.run(first.fn) });
    }
    try {
      // Answers of transactions that added nothing are reads, also those that refuse.
      gate.assertOwner(this.key);
      if (!draft.isEmpty) {
        const append = { key: this.key, seq, entry: draft.encode(), bodies: draft.bodies };
        const result = await appendSettled(store, clock, append, () => gate.assertOwner(this.key));
        if (result === 'conflict') throw gate.redirect(this.key);
        image.seq = seq;
        image.timeMs = timeMs;
        image.sizeBytes = fold.sizeBytes(image.state);
        if (seq === 1) this.#assertStillOwner();
      }
      if (draft.spoiled) this.#image = undefined;
      else if (!draft.isEmpty) this.#events.appended(seq, image.state);
    } catch (error) {
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

  #idle(): void {
    if (this.isBusy) return;
    for (const resolve of this.#untilIdle.splice(0)) resolve();
    this.#events.idle();
  }
}

function answer(request: Settle, outcome: Outcome<unknown>): void {
  if (outcome.ok) request.resolve(outcome.value);
  else request.reject(outcome.error);
}

async function settled<S>(fn: ReadRequest<S>['fn'], image: Image<S>): Promise<Outcome<unknown>> {
  try {
    return { ok: true, value: await fn(image.state, image.seq) };
  } catch (error) {
    return { ok: false, error };
  }
}
