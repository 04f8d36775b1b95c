// What the writer of logs knows about an entry: when, by whom, and actions that it does not look into.

/** Who wrote an entry. No two entries have the same writer, so equal bytes are the same entry. */
export type Writer = {
  /** The server's name on the ring. */
  server: string;
  /** Its tenure: unique over restarts and sessions. */
  session: string;
  /** Counts the entries that this process has tried to write. */
  number: number;
};

export type LogEntry<A> = {
  /** Milliseconds since 1970; never less than in the entry before. */
  timeMs: number;
  writer: Writer;
  /** None in a fence: the entry by which a new owner shuts out the writers before it. */
  actions: readonly A[];
};

export interface EntryCodec<A> {
  encode(entry: LogEntry<A>): Uint8Array;
  /** @throws UnreadableEntry on an unknown format or action: the replay of this log stops there */
  decode(bytes: Uint8Array): LogEntry<A>;
}

/** An entry that this version of the program does not understand, or damaged bytes. */
export class UnreadableEntry extends Error {
  override name = 'UnreadableEntry';
}
