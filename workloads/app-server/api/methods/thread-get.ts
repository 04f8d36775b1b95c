// Thread/get (RFC 8621 section 3.1).
import { z } from 'zod';
import { emailId, parseThreadId, stateString, threadId } from '../../image/ids.ts';
import { getArgs, idsToGet, pick, propertiesToGet } from '../get.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';

const PROPERTIES = new Set(['id', 'emailIds']);

export const threadGet = accountMethod({
  name: 'Thread/get',
  capability: MAIL,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => {
      const list: Record<string, unknown>[] = [];
      const notFound: string[] = [];
      for (const id of idsToGet(args.ids, () => [...image.threads.keys()].map(threadId))) {
        const at = parseThreadId(id);
        const thread = at === undefined ? undefined : image.threads.get(at);
        if (thread)
          list.push(pick({ id, emailIds: thread.emails.map((email) => emailId(email.id)) }, properties));
        else notFound.push(id);
      }
      return { state: stateString(image.threadsChangedAt), list, notFound };
    });
  },
});
