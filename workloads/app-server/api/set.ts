// What all /set methods do alike (RFC 8620 section 5.3).
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { stateString, type Ordinal } from '../image/ids.ts';
import type { SetError } from '../logic/set-error.ts';
import type { Call } from './call.ts';
import { MethodError } from './errors.ts';
import { MAX_OBJECTS_IN_SET } from './limits.ts';
import { id, idOrCreation, jsonObject } from './schemas.ts';

export const setArgs = {
  accountId: id,
  ifInState: z.string().nullish(),
  create: z.record(id, jsonObject).nullish(),
  update: z.record(idOrCreation, jsonObject).nullish(),
  destroy: z.array(idOrCreation).nullish(),
};

type SetArgs = {
  create?: Record<string, unknown> | null | undefined;
  update?: Record<string, unknown> | null | undefined;
  destroy?: string[] | null | undefined;
};

/** @throws MethodError requestTooLarge */
export function assertSetSize({ create, update, destroy }: SetArgs): void {
  const count = [create, update].reduce(
    (sum, map) => sum + Object.keys(map ?? {}).length,
    destroy?.length ?? 0,
  );
  if (count > MAX_OBJECTS_IN_SET)
    throw new MethodError('requestTooLarge', `At most ${MAX_OBJECTS_IN_SET} objects at once.`);
}

/** @throws MethodError stateMismatch */
export function assertState(expected: string | null | undefined, now: Ordinal): void {
  if (expected !== undefined && expected !== null && expected !== stateString(now))
    throw new MethodError('stateMismatch', 'The state is another by now.');
}

/** What a /set did; lists without anything become null. */
export class SetOutcome {
  readonly created = new Map<string, Record<string, unknown>>();
  readonly updated = new Map<string, null>();
  readonly destroyed: string[] = [];
  readonly notCreated = new Map<string, SetError>();
  readonly notUpdated = new Map<string, SetError>();
  readonly notDestroyed = new Map<string, SetError>();

  noteDestroyed(id: string, problem: SetError | undefined): void {
    if (problem) this.notDestroyed.set(id, problem);
    else this.destroyed.push(id);
  }

  response(oldState: Ordinal, newState: Ordinal): Record<string, unknown> {
    return {
      oldState: stateString(oldState),
      newState: stateString(newState),
      created: orNull(this.created),
      updated: orNull(this.updated),
      destroyed: this.destroyed.length > 0 ? this.destroyed : null,
      notCreated: orNull(this.notCreated),
      notUpdated: orNull(this.notUpdated),
      notDestroyed: orNull(this.notDestroyed),
    };
  }
}

function orNull(map: ReadonlyMap<string, unknown>): Record<string, unknown> | null {
  return map.size > 0 ? Object.fromEntries(map) : null;
}

/** A client may send a whole object back: what is as it was is no change (RFC 8620 section 5.3). */
export function withoutUnchanged(
  patch: Record<string, unknown>,
  current: Record<string, unknown> | undefined,
): Record<string, unknown> {
  if (!current) return patch;
  return Object.fromEntries(
    Object.entries(patch).filter(
      ([name, value]) => !(Object.hasOwn(current, name) && isDeepStrictEqual(value, current[name])),
    ),
  );
}

/** Resolves `#creationId`; one that stands for nothing stays as it is, and is found by nobody. */
export function resolved(call: Call, idOrReference: string): string {
  return call.resolveId(idOrReference) ?? idOrReference;
}
