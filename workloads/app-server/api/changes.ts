// What all /changes methods do alike (RFC 8620 section 5.2).
import { z } from 'zod';
import { parseStateString, type Ordinal } from '../image/ids.ts';
import { MethodError } from './errors.ts';
import { id, unsignedInt } from './schemas.ts';

/** Changes that one call returns unless the client wants fewer. */
export const MAX_CHANGES = 5_000;

export const changesArgs = {
  accountId: id,
  sinceState: z.string(),
  maxChanges: unsignedInt.min(1, 'is not above 0').nullish(),
};

/** @throws MethodError cannotCalculateChanges for a state that this server never gave, or that is in the future */
export function sinceOrdinal(sinceState: string, now: Ordinal): Ordinal {
  const since = parseStateString(sinceState);
  if (since === undefined || since > now)
    throw new MethodError('cannotCalculateChanges', 'This state is not known here.');
  return since;
}
