// Logs of words over a store that tests can hold up.
import { VirtualClock } from '../../../test/support/virtual-clock.ts';
import { soleOwner } from '../ring/sole-owner.ts';
import { UnreadableEntry, type EntryCodec, type LogEntry } from './entry-codec.ts';
import type { LogRow } from './log-store.ts';
import { MemoryLogs, MemoryStore } from './memory-store.ts';
import { LeaseLost } from './user-log-errors.ts';
import type { Fold, OwnershipGate } from './user-log-types.ts';
import { UserLogs } from './user-log.ts';

export type Words = { readonly words: readonly string[] };

export const codec: EntryCodec<string> = {
  encode: (entry) => new TextEncoder().encode(JSON.stringify(entry)),
  decode(bytes) {
    const entry = JSON.parse(new TextDecoder().decode(bytes)) as LogEntry<string>;
    if (entry.actions.includes('unknown')) throw new UnreadableEntry('an unknown action');
    return entry;
  },
};

const fold: Fold<Words, string> = {
  empty: () => ({ words: [] }),
  apply: ({ words }, word) => ({ words: [...words, word] }),
  size: ({ words }) => ({ bytes: words.join('').length, unsavedBytes: 0 }),
};

/** A memory store whose calls can be made to wait and fail. */
class SteeredStore extends MemoryStore {
  /** Before each append: waits, or throws. */
  beforeAppend: () => Promise<void> | void = () => {};
  /** After each append: its answer may be lost. */
  afterAppend: () => Promise<void> | void = () => {};
  beforeRead: () => Promise<void> | void = () => {};
  appends = 0;
  reads = 0;

  override async append(key: string, seq: number, entry: Uint8Array, bodies?: readonly Uint8Array[]) {
    this.appends++;
    await this.beforeAppend();
    const result = await super.append(key, seq, entry, bodies);
    await this.afterAppend();
    return result;
  }

  override async read(...args: Parameters<MemoryStore['read']>): Promise<LogRow[]> {
    this.reads++;
    await this.beforeRead();
    return await super.read(...args);
  }
}

export type Opened = {
  logs: UserLogs<Words, string>;
  store: SteeredStore;
  disk: MemoryLogs;
  clock: VirtualClock;
};

export function open(
  options: {
    disk?: MemoryLogs;
    session?: string;
    gate?: OwnershipGate;
    cacheBytes?: number;
    isServedHere?: (state: Words) => boolean;
  } = {},
): Opened {
  const disk = options.disk ?? new MemoryLogs();
  const store = new SteeredStore(disk);
  const clock = new VirtualClock();
  const gate = options.gate ?? soleOwner('a', options.session ?? 's1');
  return {
    store,
    disk,
    clock,
    logs: new UserLogs({
      store,
      codec,
      fold,
      gate,
      clock,
      isServedHere: options.isServedHere,
      cacheBytes: options.cacheBytes ?? 1e6,
    }),
  };
}

/** A gate that can be shut. */
export function shuttable(session: string) {
  const gate = { ...soleOwner('a', session), shut: false, asked: 0 };
  gate.assertOwner = () => {
    gate.asked++;
    if (gate.shut) throw new LeaseLost('shut');
  };
  return gate;
}

export function entriesOf(disk: MemoryLogs, key = 'k'): LogEntry<string>[] {
  return (disk.entries.get(key) ?? []).map(({ entry }) => codec.decode(entry));
}

export const add = (logs: UserLogs<Words, string>, word: string, key = 'k') =>
  logs.write(key, (tx) => tx.add(word));
export const wordsOf = (logs: UserLogs<Words, string>, key = 'k') =>
  logs.read(key, (state) => [...state.words]);

/** Lets everything that is ready run. */
export const turn = () => new Promise(setImmediate);

export function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}
