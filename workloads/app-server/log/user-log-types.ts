// What the users of UserLogs provide (a fold, a gate) and what a transaction sees.
import type { Misdirected } from './user-log-errors.ts';

/** Where an action stands: its entry, its place in it, and the entry's time. */
export type ActionAt = {
  seq: number;
  /** 0 and up. */
  index: number;
  timeMs: number;
};

/** How a state comes out of a log. States are values: nobody changes one, not even `apply`. */
export interface Fold<S, A> {
  empty(key: string): S;
  /**
   * The state after an action. It depends on nothing but its arguments (invariant 3), and does not throw for an action
   * that a transaction added after validating it.
   * @throws PageMissing when it needs a part of the state that is not in memory
   */
  apply(state: S, action: A, at: ActionAt): S;
  /** Roughly what the state takes of memory, and how much of that is in no snapshot yet. */
  size(state: S): { bytes: number; unsavedBytes: number };
  /** Lets go parts that can be read again, until about so many bytes are left. */
  unload?(state: S, bytesToKeep: number): void;
  /** Without it there are no snapshots: a log is always replayed from its beginning. */
  snapshots?: Snapshots<S>;
}

type Page = { id: string; bytes: Uint8Array };

export type EncodedSnapshot = {
  bytes: Uint8Array;
  /** To be stored before the snapshot itself. */
  pages: readonly Page[];
  /** Pages of the store that only the snapshot before needs. */
  unused: readonly string[];
  /** To be called when the pages are durable. */
  markStored(): void;
};

export interface Snapshots<S> {
  /** What the bytes mean: snapshots of another format are passed over. */
  readonly format: number;
  /**
   * @param before the state of the snapshot that this one replaces
   * @param garbage pages that nothing needs since an earlier one
   * @throws PageMissing
   */
  encode(state: S, before: S | undefined, garbage: readonly string[]): EncodedSnapshot;
  /** @throws BadSnapshot */
  decode(bytes: Uint8Array): { state: S; garbage: readonly string[] };
  /** Equal for states that are the same byte for byte, and for no others. @throws PageMissing */
  digest(state: S): string;
  /** Reads every page of the state. @returns how many there are @throws PageLost when one is gone or damaged */
  check(state: S, look: Look): Promise<number>;
}

/** A snapshot that can't be used: the log is replayed instead. */
export class BadSnapshot extends Error {
  override name = 'BadSnapshot';
}

/** Makes a look at a state, as often as it takes to load the pages that it misses. */
export type Look = <T>(look: () => T) => Promise<T>;

/**
 * What a transaction function gets. It is valid during the call only. The function may be called more than once (when it
 * missed pages), so it keeps its results to itself until it returns.
 */
export interface Transaction<S, A> {
  /** The state after all actions added so far, also those of earlier transactions that share the entry. */
  readonly state: S;
  /** The number that the entry will have. */
  readonly seq: number;
  /** The time that the entry will have. */
  readonly timeMs: number;
  /** Adds an action and applies it to the state. */
  add(action: A): ActionAt;
  /**
   * Adds a body beside the entry: at most MAX_BODY_BYTES.
   * @returns its index, by which `LogStore.readBody(key, seq, index)` finds it
   */
  addBody(bytes: Uint8Array): number;
}

/** Whether this server may act for a key, and under what name it writes. Membership is the one in production. */
export interface OwnershipGate {
  /** @throws Misdirected when another server owns the key (or nobody yet); LeaseLost when that is not known any more */
  assertOwner(key: string): void;
  /**
   * The name under which this server writes; another one in each session on the ring. A log whose last entry is of
   * another tenure is fenced before it is served.
   */
  tenure(): { server: string; session: string };
  /** What to tell a caller whose append lost against another writer's. */
  redirect(key: string): Misdirected;
}
