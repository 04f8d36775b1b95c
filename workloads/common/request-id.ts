// The id that follows one request, or one message, through the processes that work on it: over HTTP in X-Request-Id, to an
// app server in the delivery's frame, in every line of the logs (log.ts), and with a message in its log entry.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { traceHeaders } from './tracing.ts';

const HEADER = 'x-request-id';
/** Of what others made up, only this is taken over. */
const SHAPE = /^[\w.:-]{1,128}$/;

const present = new AsyncLocalStorage<string>();

/** Runs work, and all that it begins, as part of a request. */
export function inRequest<T>(id: string, work: () => T): T {
  return present.run(id, work);
}

/** Undefined outside of any request. */
export function currentRequestId(): string | undefined {
  return present.getStore();
}

/** The id that a header gives, or a new one. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && SHAPE.test(given) ? given : randomUUID();
}

/** What a request to another process of the platform carries, so that it can be followed there: its id, and its trace. */
export function followingHeaders(): Record<string, string> {
  const id = currentRequestId();
  return { ...(id !== undefined && { [HEADER]: id }), ...traceHeaders() };
}
