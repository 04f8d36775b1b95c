// Passes an app server's answer on to the client, and says the typed errors of the cell client in HTTP.
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import { BlobStoreUnavailable } from '../common/blobs/blob-store.ts';
import { OutcomeUnknown, CellDisabled, Unassigned, Unavailable } from '../common/cell-client/errors.ts';
import { sendProblem } from '../common/http/server.ts';
import type { Upstream } from './event-stream.ts';
import { BodyTooLarge } from './request-body.ts';

const PASSED_ON = [
  'content-type',
  'content-length',
  'content-disposition',
  'content-range',
  'accept-ranges',
  'cache-control',
  'etag',
  'retry-after',
  'www-authenticate',
];

/** Streams status, headers and body; a client that leaves ends the upstream, too. */
export async function passOn(upstream: Upstream, response: Response): Promise<void> {
  response.status(upstream.status);
  for (const name of PASSED_ON) {
    const value = upstream.headers[name];
    if (value !== undefined) response.setHeader(name, value);
  }
  try {
    await pipeline(upstream.body, response);
  } catch {
    // Headers are out: all that is left is to break off, which the client sees as an incomplete answer.
    response.destroy();
  }
}

/** How soon a client may ask again: a cell that somebody took out of service stays so for a while. */
const RETRY_AFTER_S = { unavailable: 1, 'cell-disabled': 30, 'outcome-unknown': 1 } as const;

/** @returns false when the error is none of those that a client should know of */
export function sendError(response: Response, error: unknown): boolean {
  if (error instanceof BodyTooLarge) {
    // RFC 8620 section 3.6.1. Bytes that are still to come would be taken for the next request.
    response.set('Connection', 'close');
    const detail = error.message;
    sendProblem(response, 413, 'urn:ietf:params:jmap:error:limit', detail, { limit: error.limit.name });
    return true;
  }
  const kind = kindOf(error);
  if (!kind) return false;
  response.set('Retry-After', String(RETRY_AFTER_S[kind]));
  sendProblem(response, 503, `urn:cellpost:error:${kind}`, DETAILS[kind]);
  return true;
}

const DETAILS = {
  unavailable: 'Your mailbox can not be reached right now; try again in a moment.',
  'cell-disabled': 'Your mailbox is out of service for the time being.',
  'outcome-unknown': 'It is not known whether that took effect; look before you try again.',
} as const;

function kindOf(error: unknown): keyof typeof DETAILS | undefined {
  if (error instanceof OutcomeUnknown) return 'outcome-unknown';
  if (error instanceof CellDisabled) return 'cell-disabled';
  if (error instanceof Unavailable || error instanceof Unassigned || error instanceof BlobStoreUnavailable)
    return 'unavailable';
  return undefined;
}
