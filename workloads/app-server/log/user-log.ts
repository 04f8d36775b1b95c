import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/log.ts';
import type { EntryCodec } from './entry-codec.ts';
import type { LogStore } from './log-store.ts';
import type { Fold, OwnershipGate, Transaction } from './user-log-types.ts';

export type UserLogsOptions<S, A> = {
  store: LogStore;
  codec: EntryCodec<A>;
  fold: Fold<S, A>;
  gate: OwnershipGate;
  clock: Clock;
  /** How much memory the images may take by the fold's own count, those in use aside. */
  cacheBytes: number;
  logger?: Logger;
};

/** What the API of an app server sees of the logs of its users. Implemented by UserLogs. */
export interface UserLogsApi<S, A> {
  read<T>(key: string, fn: (state: S, seq: number) => T | Promise<T>): Promise<T>;
  write<T>(key: string, fn: (tx: Transaction<S, A>) => T): Promise<T>;
  release(predicate: (key: string) => boolean): Promise<void>;
  onAppended(listener: (key: string, seq: number, state: S) => void): () => void;
  stats(): { open: number; openBytes: number; waiting: number };
  close(): Promise<void>;
}
