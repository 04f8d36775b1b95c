// Bounds of the SMTP engine. Tests make them smaller.

export type SmtpLimits = {
  /** Octets of a message as it is transferred; announced by SIZE (RFC 1870). */
  maxMessageBytes: number;
  maxRecipients: number;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** Commands refused before the session is ended. */
  maxErrors: number;
  /** Transactions before the client shall open a new session. */
  maxTransactions: number;
  /** Waiting for a command, and for the next bytes of a message (RFC 5321 section 4.5.3.2 wants 5 and 3 minutes). */
  commandTimeoutMs: number;
  dataTimeoutMs: number;
  /** A session ends at the first command after this, if it isn't in the middle of a transaction. */
  sessionTimeoutMs: number;
  /** A whole message must have come within this: a trickle holds no transaction for ever. */
  messageTimeoutMs: number;
  /** How long close() lets transactions finish. */
  closeDeadlineMs: number;
};

export const DEFAULT_LIMITS: SmtpLimits = {
  maxMessageBytes: 25 * 1024 * 1024,
  maxRecipients: 1_000,
  maxConnections: 2_000,
  maxConnectionsPerAddress: 100,
  maxErrors: 20,
  maxTransactions: 10_000,
  commandTimeoutMs: 300_000,
  dataTimeoutMs: 180_000,
  sessionTimeoutMs: 3_600_000,
  messageTimeoutMs: 900_000,
  closeDeadlineMs: 10_000,
};

/** RFC 5321 section 4.5.3.1.4 has 512; extensions of MAIL and RCPT add to that. */
export const MAX_COMMAND_BYTES = 2_048;
/** A line that long is no mistake: the connection is cut. */
export const MAX_SWALLOWED_LINE_BYTES = 64 * 1024;
/** What is thrown away of a message, as a multiple of the limit, before it is told and the connection is cut. */
export const MAX_SWALLOWED_FACTOR = 10;
/** A client that does not read our last words is cut after this. */
export const LINGER_MS = 5_000;
/** Unread bytes of a connection; beyond that the socket is paused. */
export const MAX_BUFFERED_BYTES = 256 * 1024;
