// What the SQLite store and its worker threads say to one another. Every call has a number; every answer names it.
import type { KeyPage, LogRow, ReadLimits, StoredPage, StoredSnapshot } from './log-store.ts';

/** The writer thread changes what is stored; the reader thread reads it on a connection of its own. */
type WorkerRole = 'writer' | 'reader';

export type WorkerSettings = {
  file: string;
  role: WorkerRole;
  /** How long a call may wait for another process's transaction. */
  busyDeadlineMs: number;
};

/** Each operation: what goes in, what comes out. */
export type Operations = {
  append: {
    call: { key: string; seq: number; entry: Uint8Array; bodies: Uint8Array[] };
    answer: 'appended' | 'conflict';
  };
  putSnapshot: { call: { key: string; snapshot: StoredSnapshot }; answer: undefined };
  read: { call: { key: string; fromSeq: number; limits: ReadLimits }; answer: LogRow[] };
  readLast: { call: { key: string }; answer: LogRow | undefined };
  readBody: { call: { key: string; seq: number; index: number }; answer: Uint8Array | undefined };
  listKeys: { call: KeyPage; answer: string[] };
  getSnapshot: { call: { key: string }; answer: StoredSnapshot | undefined };
  putPages: { call: { key: string; pages: StoredPage[] }; answer: undefined };
  getPages: { call: { key: string; ids: readonly string[] }; answer: (Uint8Array | undefined)[] };
  deletePages: { call: { key: string; ids: readonly string[] }; answer: undefined };
  dropSnapshot: { call: { key: string }; answer: undefined };
  deleteKey: { call: { key: string }; answer: undefined };
};

export type OperationName = keyof Operations;
const WRITES = ['append', 'putSnapshot', 'putPages', 'deletePages', 'dropSnapshot', 'deleteKey'] as const;
type WriteName = (typeof WRITES)[number];
export type ReadName = Exclude<OperationName, WriteName>;
const writes: ReadonlySet<OperationName> = new Set(WRITES);

export type Call = {
  [Name in OperationName]: { id: number; name: Name } & Operations[Name]['call'];
}[OperationName];
export type WriteCall = Extract<Call, { name: WriteName }>;
export type ReadCall = Extract<Call, { name: ReadName }>;

export function isWrite(call: Call): call is WriteCall {
  return writes.has(call.name);
}

/** Errors cross the thread by name; sqlite-store.ts makes them what log-store.ts promises. */
type FailureKind = 'unavailable' | 'unknown' | 'gap' | 'config';
export type Failure = { kind: FailureKind; message: string };

export type Answer =
  { id: number; value: Operations[OperationName]['answer'] } | { id: number; failure: Failure };

/** First message of a worker: the file is open, or why it is not. */
type Opened = { opened: true } | { opened: false; failure: Failure };

/** Those of one turn of an event loop go over together: waking a thread costs more than what is said. */
export type FromWorker = Opened | { answers: Answer[] };
export type ToWorker = { calls: Call[] } | { close: true };
