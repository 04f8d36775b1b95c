// One append, with its outcome found out. An entry's bytes are unique (its writer is in it), so writing the same bytes to
// the same row once more changes nothing if they are there already, and loses against another's entry like the first try:
// that, and reading the row, is how a lost answer is settled. The next number is never written while this one is open.
import { delay, withDeadline, type Clock } from '../../common/clock.ts';
import { OutcomeUnknown, StoreUnavailable, type LogStore } from './log-store.ts';

/**
 * How long one call of a store may take. Stores have shorter deadlines of their own; this one is for a store that breaks
 * its promise, so that a key never hangs.
 */
const CALL_DEADLINE_MS = 10_000;

/**
 * How long a lost answer is looked for: with the call itself longer than the only pod of a small HBase needs to come back,
 * shorter than a client waits.
 */
const SETTLE_MS = 25_000;

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

export type Append = { key: string; seq: number; entry: Uint8Array; bodies: readonly Uint8Array[] };

/**
 * @param assertMayWrite throws when this server may not write any more: no second try then
 * @throws StoreUnavailable when the entry was certainly not written, OutcomeUnknown when it may be written or may still be
 */
export async function appendSettled(
  store: LogStore,
  clock: Clock,
  append: Append,
  assertMayWrite: () => void,
): Promise<'appended' | 'conflict'> {
  try {
    return await tryOnce(store, clock, append);
  } catch (error) {
    if (!(error instanceof OutcomeUnknown)) throw error;
    return await settle(store, clock, append, assertMayWrite, error);
  }
}

function tryOnce(store: LogStore, clock: Clock, append: Append): Promise<'appended' | 'conflict'> {
  const { key, seq, entry, bodies } = append;
  return withDeadline(
    clock,
    store.append(key, seq, entry, bodies),
    CALL_DEADLINE_MS,
    () => new OutcomeUnknown(`no answer for entry ${seq} of ${key}`),
  );
}

/** @throws as appendSettled; `lost` when it is still not known in the end */
async function settle(
  store: LogStore,
  clock: Clock,
  append: Append,
  assertMayWrite: () => void,
  lost: OutcomeUnknown,
): Promise<'appended' | 'conflict'> {
  const { key, seq, entry } = append;
  const giveUpAt = clock.now() + SETTLE_MS;
  for (
    let pauseMs = FIRST_PAUSE_MS;
    clock.now() < giveUpAt;
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  ) {
    try {
      const there = await readEntry(store, clock, key, seq);
      if (there) return Buffer.compare(there, entry) === 0 ? 'appended' : 'conflict';
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await delay(clock, pauseMs);
    try {
      assertMayWrite();
    } catch (cause) {
      throw new OutcomeUnknown(`entry ${seq} of ${key} was under way when its owner changed`, { cause });
    }
    try {
      return await tryOnce(store, clock, append);
    } catch (error) {
      // StoreUnavailable speaks of this try only: the first one may still arrive.
      if (!isPassing(error)) throw error;
    }
  }
  throw lost;
}

async function readEntry(
  store: LogStore,
  clock: Clock,
  key: string,
  seq: number,
): Promise<Uint8Array | undefined> {
  const rows = await readWithin(clock, store.read(key, seq, { limit: 1, maxBytes: 1 }), key);
  return rows[0]?.seq === seq ? rows[0].entry : undefined;
}

/** A read of the store that does not hang. @throws StoreUnavailable */
export async function readWithin<T>(clock: Clock, answer: Promise<T>, key: string): Promise<T> {
  return await withDeadline(
    clock,
    answer,
    CALL_DEADLINE_MS,
    () => new StoreUnavailable(`the log of ${key} was not read in time`),
  );
}

function isPassing(error: unknown): boolean {
  return error instanceof OutcomeUnknown || error instanceof StoreUnavailable;
}
