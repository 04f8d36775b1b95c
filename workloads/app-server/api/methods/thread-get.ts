// Thread/get (RFC 8621 section 3.1).
import { z } from 'zod';
import { emailId, parseThreadId, stateString, threadId } from '../../image/ids.ts';
import type { EmailRecord, UserImage } from '../../image/model.ts';
import { together } from '../../image/pages/page.ts';
import { allEmails, threadEmails } from '../../image/threads.ts';
import { getArgs, idsToGet, pick, propertiesToGet } from '../get.ts';
import { MAIL, MAX_OBJECTS_IN_GET } from '../limits.ts';
import { accountMethod } from '../method.ts';

const PROPERTIES = new Set(['id', 'emailIds']);

function findThread(image: UserImage, id: string): EmailRecord[] {
  const at = parseThreadId(id);
  return at === undefined ? [] : threadEmails(image, at);
}

/** All of them, or a few too many: then the request is refused. */
function allThreadIds(image: UserImage): string[] {
  const ids = new Set<string>();
  for (const email of allEmails(image)) {
    ids.add(threadId(email.threadId));
    if (ids.size > MAX_OBJECTS_IN_GET) break;
  }
  return [...ids];
}

export const threadGet = accountMethod({
  name: 'Thread/get',
  capability: MAIL,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => {
      const list: Record<string, unknown>[] = [];
      const notFound: string[] = [];
      const ids = idsToGet(args.ids, () => allThreadIds(image));
      const threads = together(ids.map((id) => () => ({ id, emails: findThread(image, id) })));
      for (const { id, emails } of threads) {
        if (emails.length > 0)
          list.push(pick({ id, emailIds: emails.map((email) => emailId(email.id)) }, properties));
        else notFound.push(id);
      }
      return { state: stateString(image.threadsChangedAt), list, notFound };
    });
  },
});
