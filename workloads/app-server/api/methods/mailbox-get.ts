// Mailbox/get (RFC 8621 section 2.1).
import { z } from 'zod';
import { mailboxId, stateString } from '../../image/ids.ts';
import type { MailboxRecord } from '../../image/model.ts';
import { findMailbox } from '../../logic/mailbox-updates.ts';
import { getArgs, idsToGet, pick, propertiesToGet } from '../get.ts';
import { MAIL } from '../limits.ts';
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

function toJmap(mailbox: MailboxRecord): Record<string, unknown> {
  const isInbox = mailbox.role === 'inbox';
  return {
    id: mailboxId(mailbox.id),
    name: mailbox.name,
    parentId: mailbox.parent ? mailboxId(mailbox.parent.id) : null,
    role: mailbox.role ?? null,
    sortOrder: mailbox.sortOrder,
    totalEmails: mailbox.emails.length,
    unreadEmails: mailbox.unreadEmails,
    totalThreads: mailbox.totalThreads,
    unreadThreads: mailbox.unreadThreads,
    myRights: {
      mayReadItems: true,
      mayAddItems: true,
      mayRemoveItems: true,
      maySetSeen: true,
      maySetKeywords: true,
      mayCreateChild: true,
      mayRename: true,
      mayDelete: !isInbox,
      maySubmit: true,
    },
    isSubscribed: mailbox.isSubscribed,
  };
}

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
        if (mailbox) list.push(pick(toJmap(mailbox), properties));
        else notFound.push(id);
      }
      return { state: stateString(image.mailboxesChangedAt), list, notFound };
    });
  },
});
