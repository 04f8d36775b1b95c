// Filters of queries (RFC 8620 section 5.5): conditions joined by operators. What a condition means is the method's own.
import { z } from 'zod';
import { MethodError } from './errors.ts';
import { MAX_FILTER_NODES } from './limits.ts';
import { parseArguments } from './schemas.ts';

/** True, false, or not known yet. */
export type Truth = boolean | undefined;

export type Filter<C> =
  | { kind: 'condition'; condition: C }
  | { kind: 'operator'; operator: 'AND' | 'OR' | 'NOT'; filters: Filter<C>[] };

const operatorSchema = z.strictObject({
  operator: z.enum(['AND', 'OR', 'NOT']),
  conditions: z.array(z.unknown()),
});

/**
 * @param known names of the conditions that this method knows: another one is an unsupportedFilter
 * @throws MethodError invalidArguments, unsupportedFilter
 */
export function parseFilter<T extends z.ZodType>(
  value: unknown,
  schema: T,
  known: ReadonlySet<string>,
): Filter<z.infer<T>> | undefined {
  if (value === undefined || value === null) return undefined;
  let nodes = 0;
  const parse = (node: unknown): Filter<z.infer<T>> => {
    if (++nodes > MAX_FILTER_NODES)
      throw new MethodError('unsupportedFilter', `A filter has at most ${MAX_FILTER_NODES} parts.`);
    if (typeof node !== 'object' || node === null || Array.isArray(node))
      throw new MethodError('invalidArguments', 'filter: is no object');
    if (Object.hasOwn(node, 'operator')) {
      const { operator, conditions } = parseArguments(operatorSchema, node);
      return { kind: 'operator', operator, filters: conditions.map(parse) };
    }
    const unknown = Object.keys(node).find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new MethodError('unsupportedFilter', `There is no condition ${unknown.slice(0, 100)}.`);
    return { kind: 'condition', condition: parseArguments(schema, node) };
  };
  return parse(value);
}

/** Three-valued: an operator is known as soon as what is known of its filters settles it. NOT means none of them. */
export function evaluateFilter<C>(filter: Filter<C> | undefined, test: (condition: C) => Truth): Truth {
  if (!filter) return true;
  if (filter.kind === 'condition') return test(filter.condition);
  // OR and NOT are settled by a true filter, AND by a false one.
  const settledBy = filter.operator !== 'AND';
  let open = false;
  for (const part of filter.filters) {
    const truth = evaluateFilter(part, test);
    if (truth === settledBy) return filter.operator === 'OR';
    if (truth === undefined) open = true;
  }
  return open ? undefined : filter.operator !== 'OR';
}

/** Every condition of the filter. */
export function* conditionsOf<C>(filter: Filter<C> | undefined): Iterable<C> {
  if (!filter) return;
  if (filter.kind === 'condition') yield filter.condition;
  else for (const part of filter.filters) yield* conditionsOf(part);
}
