// Reads a request's body up to a bound, for sending it on: perhaps more than once, when the user's owner changes.
import type { Request } from 'express';
import { Spool } from '../common/blobs/spool.ts';

/** JMAP's name of a bound (RFC 8620 section 2) and its value. */
export type BodyLimit = { name: 'maxSizeRequest' | 'maxSizeUpload'; bytes: number };

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
  readonly limit: BodyLimit;
  constructor(limit: BodyLimit) {
    super(`The body is larger than ${limit.bytes} bytes.`);
    this.limit = limit;
  }
}

/** Of a body that is too large, so much more is read and dropped: a client that is still sending reads no answer. */
const MAX_DROPPED_BYTES = 50_000_000;

/**
 * @returns the body in memory, or in a temporary file when it is large; to be closed
 * @throws BodyTooLarge; BlobStoreUnavailable when the temporary file can't be written
 */
export async function readBody(request: Request, limit: BodyLimit): Promise<Spool> {
  const spool = new Spool();
  let size = 0;
  try {
    // An iterator that destroys the request at its end would take the answer's socket with it.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const bytes: Uint8Array = chunk;
      size += bytes.byteLength;
      if (size <= limit.bytes) await spool.write(bytes);
      else if (size > limit.bytes + MAX_DROPPED_BYTES) break;
    }
    if (size > limit.bytes) throw new BodyTooLarge(limit);
    return spool;
  } catch (error) {
    await spool.close();
    throw error;
  }
}

/** JMAP methods that change nothing (RFC 8620 section 5) may be asked again when an answer was lost. */
const READS = /^(?:Core\/echo|[A-Za-z]+\/(?:get|query|changes|queryChanges))$/;
/** Larger requests are hardly reads, and not worth parsing here. */
const MAX_PARSED_BYTES = 64 * 1024;

/** True when a JMAP request certainly reads only. */
export function isReadOnly(body: Uint8Array): boolean {
  if (body.byteLength > MAX_PARSED_BYTES) return false;
  try {
    const request: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof request !== 'object' || request === null || !('methodCalls' in request)) return false;
    const calls = request.methodCalls;
    return Array.isArray(calls) && calls.every((call) => Array.isArray(call) && READS.test(String(call[0])));
  } catch {
    return false;
  }
}
