// Mailbox/get (RFC 8621 section 2.1).
import { z } from 'zod';
import { mailboxId, stateString } from '../../image/ids.ts';
import { findMailbox } from '../../logic/mailbox-updates.ts';
import { getArgs, idsToGet, pick, propertiesToGet } from '../get.ts';
import { MAIL } from '../limits.ts';
import { mailboxObject } from '../mailbox-object.ts';
import { accountMethod } from '../method.ts';

const PROPERTIES = new Set([
  'id',
  'name',
  'parentId',
  'role',
  'sortOrder',
  'totalEmails',
  'unreadEmails',
  'totalThreads',
  'unreadThreads',
  'myRights',
  'isSubscribed',
]);

export const mailboxGet = accountMethod({
  name: 'Mailbox/get',
  capability: MAIL,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => {
      const ids = idsToGet(args.ids, () => [...image.mailboxes.keys()].map(mailboxId));
      const list: Record<string, unknown>[] = [];
      const notFound: string[] = [];
      for (const id of ids) {
        const mailbox = findMailbox(image, id);
        if (mailbox) list.push(pick(mailboxObject(mailbox), properties));
        else notFound.push(id);
      }
      return { state: stateString(image.mailboxesChangedAt), list, notFound };
    });
  },
});
