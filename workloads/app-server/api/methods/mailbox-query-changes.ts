// Mailbox/queryChanges (RFC 8621 section 2.4): there are few mailboxes, so a client asks the query again; Mailbox/query says so
// (canCalculateChanges).
import { z } from 'zod';
import { MethodError } from '../errors.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { id, unsignedInt } from '../schemas.ts';

export const mailboxQueryChanges = accountMethod({
  name: 'Mailbox/queryChanges',
  capability: MAIL,
  args: z.strictObject({
    accountId: id,
    filter: z.unknown().optional(),
    sort: z.unknown().optional(),
    sinceQueryState: z.string(),
    maxChanges: unsignedInt.nullish(),
    upToId: id.nullish(),
    calculateTotal: z.boolean().optional(),
    sortAsTree: z.boolean().optional(),
    filterAsTree: z.boolean().optional(),
  }),
  async run() {
    throw new MethodError('cannotCalculateChanges', 'Ask the query again.');
  },
});
