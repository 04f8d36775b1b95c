// The next entry of a log while transactions are put into it.
import type { EntryCodec, LogEntry, Writer } from './entry-codec.ts';
import { EntryTooLarge, MAX_BODY_BYTES, MAX_ENTRY_BYTES } from './log-store.ts';
import { PageMissing } from './page-missing.ts';
import type { ActionAt, Fold, Look, Transaction } from './user-log-types.ts';

/**
 * No further transaction joins an entry of this size: half of what a store takes, so that the last one to join may add
 * as much again.
 */
const FULL_ENTRY_BYTES = MAX_ENTRY_BYTES / 2;
const MAX_TRANSACTION_BYTES = MAX_ENTRY_BYTES - FULL_ENTRY_BYTES;

/** The same for all bodies of an entry together: one durable write should not keep other users' writes waiting. */
const FULL_BODIES_BYTES = 2 * MAX_BODY_BYTES;

/** No further transaction joins an entry that has so many: what one answer of the store carries with it. */
const FULL_TRANSACTIONS = 128;

export type DraftOf<S, A> = {
  codec: EntryCodec<A>;
  fold: Fold<S, A>;
  state: S;
  seq: number;
  timeMs: number;
  writer: Writer;
};

/** How a transaction function went; nobody hears of it before the entry is durable. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; error: unknown };

/** What is in the entry so far, and the state after it. */
type Content<S, A> = { state: S; readonly actions: A[]; readonly bodies: Uint8Array[] };

export class EntryDraft<S, A> {
  readonly #of: DraftOf<S, A>;
  readonly #content: Content<S, A>;
  #transactions = 0;
  #entryBytes = 0;
  #bodyBytes = 0;
  /** The encoded entry while one transaction alone is in it: most entries are that. */
  #encoded: Uint8Array | undefined;

  constructor(of: DraftOf<S, A>) {
    this.#of = of;
    this.#content = { state: of.state, actions: [], bodies: [] };
  }

  /** After everything in the entry. */
  get state(): S {
    return this.#content.state;
  }

  get full(): boolean {
    return (
      this.#transactions >= FULL_TRANSACTIONS ||
      this.#entryBytes >= FULL_ENTRY_BYTES ||
      this.#bodyBytes >= FULL_BODIES_BYTES
    );
  }

  get isEmpty(): boolean {
    return this.#content.actions.length === 0;
  }

  get bodies(): readonly Uint8Array[] {
    return this.#content.bodies;
  }

  encode(): Uint8Array {
    return this.#encoded ?? this.#of.codec.encode(this.#entry(this.#content.actions));
  }

  /**
   * Runs a transaction function, again when it missed pages: only then there is something to wait for. One that fails
   * leaves nothing in the entry.
   */
  run<T>(fn: (tx: Transaction<S, A>) => T, look: Look): Outcome<T> | Promise<Outcome<T>> {
    try {
      return { ok: true, value: this.#run(fn) };
    } catch (error) {
      return error instanceof PageMissing ? this.#runLater(fn, look) : { ok: false, error };
    }
  }

  async #runLater<T>(fn: (tx: Transaction<S, A>) => T, look: Look): Promise<Outcome<T>> {
    try {
      return { ok: true, value: await look(() => this.#run(fn)) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  #run<T>(fn: (tx: Transaction<S, A>) => T): T {
    const content = this.#content;
    const { state, actions, bodies } = content;
    const firstAction = actions.length;
    const firstBody = bodies.length;
    const call = new Call(this.#of, content);
    try {
      const value = fn(call);
      if (value instanceof Promise) throw new TypeError('a transaction function must not be asynchronous');
      if (actions.length === firstAction) bodies.length = firstBody;
      else this.#account(firstAction, firstBody);
      return value;
    } catch (error) {
      content.state = state;
      actions.length = firstAction;
      bodies.length = firstBody;
      throw error;
    } finally {
      call.end();
    }
  }

  #account(firstAction: number, firstBody: number): void {
    const encoded = this.#of.codec.encode(this.#entry(this.#content.actions.slice(firstAction)));
    if (encoded.byteLength > MAX_TRANSACTION_BYTES)
      throw new EntryTooLarge(
        `a transaction of ${encoded.byteLength} bytes is over ${MAX_TRANSACTION_BYTES}`,
      );
    this.#encoded = firstAction === 0 ? encoded : undefined;
    this.#entryBytes += encoded.byteLength;
    for (const body of this.#content.bodies.slice(firstBody)) this.#bodyBytes += body.byteLength;
    this.#transactions++;
  }

  #entry(actions: readonly A[]): LogEntry<A> {
    return { timeMs: this.#of.timeMs, writer: this.#of.writer, actions };
  }
}

/**
 * One call of a transaction function. Not an object literal: one with a getter has a hidden class of its own, which would keep
 * all of this in memory until the next collection of the whole heap.
 */
class Call<S, A> implements Transaction<S, A> {
  readonly seq: number;
  readonly timeMs: number;
  readonly #fold: Fold<S, A>;
  readonly #content: Content<S, A>;
  #active = true;

  constructor({ fold, seq, timeMs }: DraftOf<S, A>, content: Content<S, A>) {
    this.seq = seq;
    this.timeMs = timeMs;
    this.#fold = fold;
    this.#content = content;
  }

  get state(): S {
    return this.#content.state;
  }

  add(action: A): ActionAt {
    this.#assertActive();
    const content = this.#content;
    const at = { seq: this.seq, timeMs: this.timeMs, index: content.actions.length };
    content.state = this.#fold.apply(content.state, action, at);
    content.actions.push(action);
    return at;
  }

  addBody(bytes: Uint8Array): number {
    this.#assertActive();
    if (bytes.byteLength > MAX_BODY_BYTES)
      throw new EntryTooLarge(`a body of ${bytes.byteLength} bytes is over ${MAX_BODY_BYTES}`);
    return this.#content.bodies.push(bytes) - 1;
  }

  end(): void {
    this.#active = false;
  }

  #assertActive(): void {
    if (!this.#active) throw new Error('the transaction is over');
  }
}
