// What all /get methods do alike (RFC 8620 section 5.1).
import { z } from 'zod';
import { MethodError } from './errors.ts';
import { MAX_OBJECTS_IN_GET } from './limits.ts';
import { id } from './schemas.ts';

/** Properties of one call: more than any object has, header fields by name included. */
const MAX_PROPERTIES = 500;

export const propertyNames = z.array(z.string().max(1024)).max(MAX_PROPERTIES);

export const getArgs = {
  accountId: id,
  ids: z.array(z.string().max(256)).nullish(),
  properties: propertyNames.nullish(),
};

/**
 * The ids to look up, each once; all of them when the client named none.
 * @throws MethodError requestTooLarge
 */
export function idsToGet(ids: readonly string[] | null | undefined, all: () => string[]): string[] {
  const wanted = ids ? [...new Set(ids)] : all();
  if (wanted.length > MAX_OBJECTS_IN_GET)
    throw new MethodError('requestTooLarge', `At most ${MAX_OBJECTS_IN_GET} objects at once.`);
  return wanted;
}

/** The properties to return: those asked for, and always the id. @throws MethodError invalidArguments for unknown ones */
export function propertiesToGet(
  asked: readonly string[] | null | undefined,
  known: ReadonlySet<string>,
): Set<string> {
  if (!asked) return new Set(known);
  const unknown = asked.filter((property) => !known.has(property));
  if (unknown.length > 0)
    throw new MethodError('invalidArguments', `properties: there is no ${unknown.slice(0, 5).join(', ')}.`);
  return new Set(['id', ...asked]);
}

/** @returns the members of `object` that were asked for */
export function pick(
  object: Record<string, unknown>,
  properties: ReadonlySet<string>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => properties.has(name)));
}
