// What the MTA proxy and its authentication thread say to each other. Jobs are answered in any order.
import type { Authentication } from '../../common/mail-auth/authentication.ts';

/** What the thread is started with. */
export type ThreadOptions = {
  /** The authserv-id (RFC 8601 section 2.5). */
  hostname: string;
  /** Addresses of name servers, with ports if need be; none: the system's. */
  dnsServers: readonly string[];
};

/** The message as it was received: its bytes, or a file that holds them. */
export type Source = { bytes: Uint8Array } | { path: string };

export type Question = {
  /** As the socket says. */
  ip: string;
  /** As the client calls itself. */
  helo: string;
  mailFrom: string;
  source: Source;
};

export type Checked = {
  /** The whole Authentication-Results field, with its last CRLF. */
  header: string;
  authentication: Authentication;
};

export type Job = { id: number } & Question;

/** Questions for names, answered from memory and not. */
export type Lookups = { kept: number; asked: number };

/** `lookups`: since the answer before. */
export type ThreadAnswer = { id: number; lookups: Lookups } & Checked;
