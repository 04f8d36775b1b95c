// What the users of UserLogs provide (a fold, a gate) and what a transaction sees.
import type { Misdirected } from './user-log-errors.ts';

/** Where an action stands: its entry, its place in it, and the entry's time. */
type ActionAt = {
  seq: number;
  /** 0 and up. */
  index: number;
  timeMs: number;
};

/** How a state comes out of a log. `apply` must depend on nothing but its arguments (invariant 3). */
export interface Fold<S, A> {
  empty(key: string): S;
  /** Changes the state in place. It must not throw for an action that a transaction added after validating it. */
  apply(state: S, action: A, at: ActionAt): void;
  /** Roughly what the state takes of memory; called after each entry. */
  sizeBytes(state: S): number;
}

/** What a transaction function gets. It is valid during the call only. */
export interface Transaction<S, A> {
  /** The state after all actions added so far, also those of earlier transactions that share the entry. Not to be changed. */
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
