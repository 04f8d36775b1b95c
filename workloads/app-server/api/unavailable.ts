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

export function sendUnavailable(response: Response, error: Unavailable): void {
  if (error instanceof Misdirected) {
    const { owner, ringVersion, retryAfterMs } = error;
    sendProblem(response, 421, 'urn:cellpost:error:misdirected', 'Another server serves this user.', {
      ...(owner ? { owner: { name: owner.name, url: owner.url } } : {}),
      ringVersion,
      retryAfterMs,
    });
    return;
  }
  response.set('Retry-After', String(RETRY_AFTER_SECONDS));
  if (error instanceof OutcomeUnknown)
    sendProblem(
      response,
      503,
      'urn:cellpost:error:outcome-unknown',
      'Whether this took effect is not known; only what is idempotent may be repeated.',
    );
  else sendProblem(response, 503, 'urn:cellpost:error:unavailable', 'This can be tried again in a moment.');
}
