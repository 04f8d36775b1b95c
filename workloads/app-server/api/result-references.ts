// Result references (RFC 8620 section 3.7): `"#ids": {resultOf, name, path}` takes a value out of an earlier response.
import { MethodError } from './errors.ts';

export type MethodResponse = [name: string, args: Record<string, unknown>, callId: string];

/** Items that one reference may yield: as many as a call may name anyway, and a few pages of ids. */
const MAX_REFERENCED_ITEMS = 50_000;

/**
 * Replaces the arguments whose names start with `#`.
 * @throws MethodError invalidArguments when `x` and `#x` are both there; invalidResultReference
 */
export function resolveReferences(
  args: Record<string, unknown>,
  responses: readonly MethodResponse[],
): Record<string, unknown> {
  const resolved: [string, unknown][] = [];
  for (const [name, value] of Object.entries(args)) {
    if (!name.startsWith('#')) {
      resolved.push([name, value]);
      continue;
    }
    const target = name.slice(1);
    if (Object.hasOwn(args, target))
      throw new MethodError('invalidArguments', `Both ${target} and ${name} are given.`);
    resolved.push([target, follow(value, name, responses)]);
  }
  return Object.fromEntries(resolved);
}

function follow(reference: unknown, argument: string, responses: readonly MethodResponse[]): unknown {
  if (!isReference(reference))
    throw new MethodError('invalidResultReference', `${argument} is no {resultOf, name, path}.`);
  const response = responses.find(([, , callId]) => callId === reference.resultOf);
  if (!response || response[0] !== reference.name)
    throw new MethodError(
      'invalidResultReference',
      `${argument} names ${reference.name} of call ${reference.resultOf}, which has no such response.`,
    );
  const value = evaluate(response[1], reference.path);
  if (value === undefined)
    throw new MethodError('invalidResultReference', `${argument}: nothing is at ${reference.path}.`);
  return value;
}

function isReference(value: unknown): value is { resultOf: string; name: string; path: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { resultOf, name, path } = value as Record<string, unknown>;
  return typeof resultOf === 'string' && typeof name === 'string' && typeof path === 'string';
}

/**
 * A JSON pointer (RFC 6901) in which `*` maps over an array and flattens what it gets by one level.
 * @returns undefined when it points at nothing
 */
export function evaluate(value: unknown, path: string): unknown {
  if (path === '') return value;
  if (!path.startsWith('/')) return undefined;
  return step(value, path.slice(1).split('/'));
}

function step(value: unknown, tokens: readonly string[]): unknown {
  const [token, ...rest] = tokens;
  if (token === undefined) return value;
  if (Array.isArray(value)) {
    if (token === '*') return mapOver(value, rest);
    return /^(?:0|[1-9]\d{0,8})$/.test(token) ? step(value[Number(token)], rest) : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
  return Object.hasOwn(value, name) ? step((value as Record<string, unknown>)[name], rest) : undefined;
}

function mapOver(items: readonly unknown[], rest: readonly string[]): unknown[] | undefined {
  const mapped: unknown[] = [];
  for (const item of items) {
    const value = step(item, rest);
    if (value === undefined) return undefined;
    if (Array.isArray(value)) mapped.push(...(value as unknown[]));
    else mapped.push(value);
    if (mapped.length > MAX_REFERENCED_ITEMS) return undefined;
  }
  return mapped;
}
