// Reads a request's JSON within the bounds; a body that is too large is refused without being kept.
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { RequestError } from './errors.ts';
import { parseJson } from './json.ts';
import { MAX_REQUEST_BYTES } from './limits.ts';

/** @throws RequestError notJSON, limit (maxSizeRequest) */
export async function readJson(request: Request): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(request.get('content-type') ?? ''))
    throw new RequestError('notJSON', 'The content type is not application/json.');
  return parseJson(await readBytes(request, MAX_REQUEST_BYTES));
}

/**
 * What services say to each other.
 * @returns undefined when the body is none of the schema's: that is answered then
 * @throws as readJson
 */
export async function readChecked<T>(
  request: Request,
  response: Response,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  return checked(await readJson(request), response, schema);
}

/** The same for what is there already, as the parameters of a request. */
export function checked<T>(value: unknown, response: Response, schema: z.ZodType<T>): T | undefined {
  const { data, error } = schema.safeParse(value);
  if (error) notUnderstood(response, error.issues.map(describe).join('; '));
  return data;
}

/** @param why which part, and what it should be */
export function notUnderstood(response: Response, why: string): void {
  sendProblem(response, 400, 'about:blank', `Not understood: ${why}.`);
}

function describe({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join('/')}: ${message}`;
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
