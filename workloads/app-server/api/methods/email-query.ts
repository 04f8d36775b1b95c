// Email/query (RFC 8621 section 4.4).
import { z } from 'zod';
import { stateString } from '../../image/ids.ts';
import { concernsEmailsAlone, emailQueryArgs, parseEmailQuery } from '../email-query-args.ts';
import { EmailSearch } from '../email-search.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { queryResponse, windowArgs, windowOf } from '../query-window.ts';

export const emailQuery = accountMethod({
  name: 'Email/query',
  capability: MAIL,
  args: z.strictObject({ ...windowArgs, ...emailQueryArgs }),
  async run(args, call) {
    const query = parseEmailQuery(args);
    return new EmailSearch(call, query).run((results, image) => {
      const window = windowOf(results, args);
      return queryResponse(
        window,
        stateString(image.emailsChangedAt),
        concernsEmailsAlone(query),
        args.calculateTotal ? results.length : undefined,
      );
    });
  },
});
