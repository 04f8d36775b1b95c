// Which part of a query's results a client gets (RFC 8620 section 5.5).
import { MethodError } from './errors.ts';
import { MAX_QUERY_LIMIT } from './limits.ts';
import { id, int, unsignedInt } from './schemas.ts';
import { z } from 'zod';

export const windowArgs = {
  accountId: id,
  position: int.optional(),
  anchor: id.nullish(),
  anchorOffset: int.optional(),
  limit: unsignedInt.nullish(),
  calculateTotal: z.boolean().optional(),
};

export type WindowArgs = {
  position?: number | undefined;
  anchor?: string | null | undefined;
  anchorOffset?: number | undefined;
  limit?: number | null | undefined;
  calculateTotal?: boolean | undefined;
};

/** Ids of results in order, without saying how they are kept. */
export type Results = {
  length: number;
  at(index: number): string | undefined;
  /** -1 when it is none of them. */
  indexOf(anchor: string): number;
};

type Window = { position: number; ids: string[]; limit: number | undefined };

/** @throws MethodError anchorNotFound */
export function windowOf(results: Results, args: WindowArgs): Window {
  const start = startOf(results, args);
  const limit = Math.min(args.limit ?? MAX_QUERY_LIMIT, MAX_QUERY_LIMIT);
  const ids: string[] = [];
  for (let index = start; index < Math.min(results.length, start + limit); index++) {
    const id = results.at(index);
    if (id !== undefined) ids.push(id);
  }
  // Only a limit that the server set is told.
  const limited = (args.limit ?? Infinity) > MAX_QUERY_LIMIT;
  return { position: start, ids, limit: limited ? MAX_QUERY_LIMIT : undefined };
}

function startOf(results: Results, { position = 0, anchor, anchorOffset = 0 }: WindowArgs): number {
  if (anchor === undefined || anchor === null)
    return position < 0 ? Math.max(0, results.length + position) : position;
  const index = results.indexOf(anchor);
  if (index < 0) throw new MethodError('anchorNotFound', 'The anchor is not among the results.');
  return Math.max(0, index + anchorOffset);
}

/** The members of a response that all /query methods have. */
export function queryResponse(
  window: Window,
  queryState: string,
  canCalculateChanges: boolean,
  total: number | undefined,
): Record<string, unknown> {
  return {
    queryState,
    canCalculateChanges,
    position: window.position,
    ids: window.ids,
    ...(total === undefined ? {} : { total }),
    ...(window.limit === undefined ? {} : { limit: window.limit }),
  };
}
