// Reads a request's JSON within the bounds; a body that is too large is refused without being kept.
import type { Request } from 'express';
import { RequestError } from './errors.ts';
import { parseJson } from './json.ts';
import { MAX_REQUEST_BYTES } from './limits.ts';

/** @throws RequestError notJSON, limit (maxSizeRequest) */
export async function readJson(request: Request): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(request.get('content-type') ?? ''))
    throw new RequestError('notJSON', 'The content type is not application/json.');
  return parseJson(await readBytes(request, MAX_REQUEST_BYTES));
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // What is over the bound is read and dropped, so that the client gets to read the answer.
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
    if (size > maxBytes * MAX_DROPPED_FACTOR) break;
  }
  if (size > maxBytes)
    throw new RequestError('limit', `A request has at most ${maxBytes} bytes.`, { limit: 'maxSizeRequest' });
  return Buffer.concat(chunks);
}

/** A client that goes on and on is cut off. */
const MAX_DROPPED_FACTOR = 4;
