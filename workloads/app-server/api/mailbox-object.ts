// A mailbox as JMAP's Mailbox object (RFC 8621 section 2).
import { mailboxId } from '../image/ids.ts';
import type { MailboxRecord } from '../image/model.ts';

export function mailboxObject(mailbox: MailboxRecord): Record<string, unknown> {
  const isInbox = mailbox.role === 'inbox';
  return {
    id: mailboxId(mailbox.id),
    name: mailbox.name,
    parentId: mailbox.parentId === undefined ? null : mailboxId(mailbox.parentId),
    role: mailbox.role ?? null,
    sortOrder: mailbox.sortOrder,
    totalEmails: mailbox.totalEmails,
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
