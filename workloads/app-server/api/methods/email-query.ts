// Email/query (RFC 8621 section 4.4).
import { z } from 'zod';
import { emailId, stateString } from '../../image/ids.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { queryResponse, windowArgs, windowOf } from '../query-window.ts';
import { assertEmailSort } from '../email-sort.ts';
import { sortArg } from '../sort.ts';
import { EMAIL_CONDITIONS, emailConditionSchema } from '../email-filter.ts';
import { EmailSearch } from '../email-search.ts';
import { parseFilter } from '../filter.ts';

export const emailQuery = accountMethod({
  name: 'Email/query',
  capability: MAIL,
  args: z.strictObject({
    ...windowArgs,
    filter: z.unknown().optional(),
    sort: sortArg,
    collapseThreads: z.boolean().optional(),
  }),
  async run(args, call) {
    const filter = parseFilter(args.filter, emailConditionSchema, EMAIL_CONDITIONS);
    const sort = args.sort ?? [];
    assertEmailSort(sort);
    const search = new EmailSearch(call, { filter, sort, collapseThreads: args.collapseThreads ?? false });
    return search.run((results, image) => {
      const window = windowOf(results, args);
      return queryResponse(
        { ...window, items: window.items.map((email) => emailId(email.id)) },
        stateString(image.emailsChangedAt),
        false,
        args.calculateTotal ? results.length : undefined,
      );
    });
  },
});
