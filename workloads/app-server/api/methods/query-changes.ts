// Mailbox/queryChanges and Email/queryChanges (RFC 8620 section 5.6): what changed in a query's results is not kept, and the
// /query responses say so (canCalculateChanges); a client asks again.
import { z } from 'zod';
import { MethodError } from '../errors.ts';
import { MAIL } from '../limits.ts';
import { accountMethod, type Method } from '../method.ts';
import { id, unsignedInt } from '../schemas.ts';

const args = z.strictObject({
  accountId: id,
  filter: z.unknown().optional(),
  sort: z.unknown().optional(),
  sinceQueryState: z.string(),
  maxChanges: unsignedInt.nullish(),
  upToId: id.nullish(),
  calculateTotal: z.boolean().optional(),
  collapseThreads: z.boolean().optional(),
  sortAsTree: z.boolean().optional(),
  filterAsTree: z.boolean().optional(),
});

function queryChanges(name: string): Method {
  return accountMethod({
    name,
    capability: MAIL,
    args,
    async run() {
      throw new MethodError('cannotCalculateChanges', 'Ask the query again.');
    },
  });
}

export const mailboxQueryChanges = queryChanges('Mailbox/queryChanges');
export const emailQueryChanges = queryChanges('Email/queryChanges');
