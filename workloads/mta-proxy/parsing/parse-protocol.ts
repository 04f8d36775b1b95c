// What the MTA proxy and its parser threads say to each other. A thread does its jobs in order and answers each.

export type ParseJob =
  /** The next bytes of a message; a message without earlier jobs begins. `trace` is not part of the digest. */
  | { id: number; trace?: Uint8Array; bytes?: Uint8Array; end: boolean }
  /** The message will have no end. Not answered. */
  | { id: number; forget: true };

export type ParseAnswer =
  /** Once, before all others: the thread has loaded its code. */
  | { ready: true }
  | { id: number; parsed?: Parsed }
  /** Something in the parser is broken: no message should do that. */
  | { id: number; failure: string };

export type Parsed = {
  /** Encoded: see common/mime/message-wire.ts. */
  message: Uint8Array;
  /** Of the whole message, trace and all. */
  sizeBytes: number;
  hasMessageId: boolean;
  /** SHA-256 of the bytes as they were received, without the trace headers. */
  digest: Uint8Array;
};
