// Errors that say "not here" or "not now": answered so that a client knows where, when and whether to repeat the request.
import type { Response } from 'express';
import { BlobStoreUnavailable } from '../../common/blobs/blob-store.ts';
import { sendProblem } from '../../common/http/server.ts';
import { OutcomeUnknown, StoreUnavailable } from '../log/log-store.ts';
import { LeaseLost, Misdirected, Overloaded } from '../log/user-log-errors.ts';

type Unavailable =
  Misdirected | LeaseLost | Overloaded | StoreUnavailable | OutcomeUnknown | BlobStoreUnavailable;

const RETRY_AFTER_SECONDS = 1;

export function isUnavailable(error: unknown): error is Unavailable {
  return (
    error instanceof Misdirected ||
    error instanceof LeaseLost ||
    error instanceof Overloaded ||
    error instanceof StoreUnavailable ||
    error instanceof OutcomeUnknown ||
    error instanceof BlobStoreUnavailable
  );
}

/** How metrics tell of it: being sent elsewhere is no fault of a server. */
export function metricResultOf(error: Unavailable): 'misdirected' | 'serverUnavailable' {
  return error instanceof Misdirected ? 'misdirected' : 'serverUnavailable';
}

/** The problem that tells a client of it (RFC 9457). */
export function unavailableProblem(error: Unavailable): {
  status: 421 | 503;
  type: string;
  detail: string;
  more: Record<string, unknown>;
} {
  if (error instanceof Misdirected) {
    const { owner, ringVersion, retryAfterMs } = error;
    return {
      status: 421,
      type: 'urn:cellpost:error:misdirected',
      detail: 'Another server serves this user.',
      more: { ...(owner ? { owner: { name: owner.name, url: owner.url } } : {}), ringVersion, retryAfterMs },
    };
  }
  if (error instanceof OutcomeUnknown)
    return {
      status: 503,
      type: 'urn:cellpost:error:outcome-unknown',
      detail: 'Whether this took effect is not known; only what is idempotent may be repeated.',
      more: {},
    };
  return {
    status: 503,
    type: 'urn:cellpost:error:unavailable',
    detail: 'This can be tried again in a moment.',
    more: {},
  };
}

/** To be awaited before a refusal is told. */
export async function mayBeTold(error: Unavailable): Promise<void> {
  if (error instanceof Misdirected) await error.tellAfter?.();
}

export async function sendUnavailable(response: Response, error: Unavailable): Promise<void> {
  await mayBeTold(error);
  if (response.destroyed) return;
  const { status, type, detail, more } = unavailableProblem(error);
  if (status === 503) response.set('Retry-After', String(RETRY_AFTER_SECONDS));
  sendProblem(response, status, type, detail, more);
}
