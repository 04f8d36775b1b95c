// The query that Email/query and Email/queryChanges are about.
import { z } from 'zod';
import { EMAIL_CONDITIONS, emailConditionSchema } from './email-filter.ts';
import type { EmailQuery } from './email-search.ts';
import { assertEmailSort } from './email-sort.ts';
import { conditionsOf, parseFilter } from './filter.ts';
import { sortArg } from './sort.ts';

export const emailQueryArgs = {
  filter: z.unknown().optional(),
  sort: sortArg,
  collapseThreads: z.boolean().optional(),
};

type QueryArgs = {
  filter?: unknown;
  sort?: z.infer<typeof sortArg>;
  collapseThreads?: boolean | undefined;
};

/** @throws MethodError invalidArguments, unsupportedFilter, unsupportedSort */
export function parseEmailQuery(args: QueryArgs): EmailQuery {
  const filter = parseFilter(args.filter, emailConditionSchema, EMAIL_CONDITIONS);
  const sort = args.sort ?? [];
  assertEmailSort(sort);
  return { filter, sort, collapseThreads: args.collapseThreads ?? false };
}

/** Can an email come into the results, leave them or move in them only by a change of its own, not of its thread's others? */
export function concernsEmailsAlone({ filter, sort, collapseThreads }: EmailQuery): boolean {
  if (collapseThreads || sort.some(({ property }) => property.includes('InThread'))) return false;
  for (const condition of conditionsOf(filter))
    if (Object.keys(condition).some((name) => name.includes('InThread'))) return false;
  return true;
}
