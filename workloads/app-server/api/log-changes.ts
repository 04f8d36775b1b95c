// Changes of emails and threads since a state, told from the log: nothing has to be remembered for clients that may never
// come back. A client is mostly a few entries behind, so this reads a few rows.
import { ordinal, seqOf, type Ordinal } from '../image/ids.ts';
import type { Action } from '../log/actions.ts';
import type { LogStore } from '../log/log-store.ts';
import type { EntryCodec } from '../log/entry-codec.ts';
import type { OpenUser } from '../image/model.ts';
import type { Call } from './call.ts';
import { MethodError } from './errors.ts';

/** A client further behind than this had better read everything anew. */
const MAX_REPLAYED_ENTRIES = 50_000;
const READ_LIMITS = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };

export type LoggedAction = { at: Ordinal; action: Action };

export class ActionReader {
  readonly #store: LogStore;
  readonly #codec: EntryCodec<Action>;

  constructor(store: LogStore, codec: EntryCodec<Action>) {
    this.#store = store;
    this.#codec = codec;
  }

  /** The actions of entries `from` to `to`, in order. */
  async read(key: string, from: number, to: number): Promise<LoggedAction[]> {
    const found: LoggedAction[] = [];
    for (let next = from; next <= to;) {
      const limit = Math.min(READ_LIMITS.limit, to - next + 1);
      const rows = await this.#store.read(key, next, { ...READ_LIMITS, limit });
      const last = rows.at(-1);
      if (!last) break;
      for (const row of rows)
        for (const [index, action] of this.#codec.decode(row.entry).actions.entries())
          found.push({ at: ordinal({ seq: row.seq, index }), action });
      next = last.seq + 1;
    }
    return found;
  }
}

/**
 * Reads the user's actions after `since` and hands them to `look` together with an image in which exactly these have
 * happened.
 * @param changedAt the last change of the type in question
 * @throws MethodError cannotCalculateChanges
 */
export async function withActionsSince<T>(
  call: Call,
  sinceOf: (image: OpenUser) => Ordinal,
  changedAt: (image: OpenUser) => Ordinal,
  look: (image: OpenUser, actions: readonly LoggedAction[], since: Ordinal) => T,
): Promise<T> {
  const actions: LoggedAction[] = [];
  let readTo: number | undefined;
  for (;;) {
    const step = await call.read((image) => {
      const since = sinceOf(image);
      const to = seqOf(changedAt(image));
      if (changedAt(image) === since || (readTo !== undefined && readTo >= to))
        return { done: true as const, value: look(image, actions, since) };
      return { done: false as const, since, to };
    });
    if (step.done) return step.value;
    const from = readTo === undefined ? seqOf(step.since) : readTo + 1;
    if (step.to - seqOf(step.since) > MAX_REPLAYED_ENTRIES)
      throw new MethodError('cannotCalculateChanges', 'Too much has changed since then.');
    const more = await call.services.actions.read(call.key, Math.max(1, from), step.to);
    actions.push(...more.filter(({ at }) => at > step.since));
    readTo = step.to;
  }
}
