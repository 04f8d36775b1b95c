// Sorting of query results (RFC 8620 section 5.5).
import { z } from 'zod';
import { MethodError } from './errors.ts';
import { COLLATIONS } from './limits.ts';

/** Comparators of one query: the first that tells two objects apart decides, so more are of no use. */
const MAX_COMPARATORS = 10;

const comparatorSchema = z.strictObject({
  property: z.string().max(100),
  isAscending: z.boolean().optional(),
  collation: z.string().max(100).optional(),
  /** RFC 8621 section 4.4.2: for the comparators about keywords. */
  keyword: z.string().max(255).optional(),
});

export const sortArg = z.array(comparatorSchema).max(MAX_COMPARATORS).nullish();

export type Comparator = z.infer<typeof comparatorSchema>;

/** @throws MethodError unsupportedSort */
export function assertSortable(sort: readonly Comparator[], properties: ReadonlySet<string>): void {
  for (const { property, collation } of sort) {
    if (!properties.has(property))
      throw new MethodError('unsupportedSort', `Nothing is sorted by ${property}.`);
    if (collation !== undefined && !(COLLATIONS as readonly string[]).includes(collation))
      throw new MethodError('unsupportedSort', `There is no collation ${collation}.`);
  }
}

/** The text as the collation compares it. */
export function collate(text: string, collation: string | undefined): string {
  if (collation === 'i;ascii-casemap') return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return text.normalize('NFKC').toLowerCase();
}

export type SortKey = string | number | boolean;

export function compareKeys(a: SortKey, b: SortKey): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
