// What the actions on mailboxes do to an image.
import type { MailboxCreated, MailboxDestroyed, MailboxUpdated } from '../log/actions.ts';
import { BadAction } from './bad-action.ts';
import { recount } from './counts.ts';
import { parseMailboxId, type Ordinal } from './ids.ts';
import type { MailboxRecord, UserImage } from './model.ts';

/** Destroyed mailboxes that are remembered for Mailbox/changes. */
const MAX_TOMBSTONES = 256;

/** @throws BadAction */
export function mailboxOf(image: UserImage, id: string): MailboxRecord {
  const at = parseMailboxId(id);
  const mailbox = at === undefined ? undefined : image.mailboxes.get(at);
  if (!mailbox) throw new BadAction(`there is no mailbox ${id}`);
  return mailbox;
}

export function createMailbox(image: UserImage, action: MailboxCreated, at: Ordinal): void {
  image.mailboxes.set(at, {
    id: at,
    name: action.name,
    parent: action.parentId === '' ? undefined : mailboxOf(image, action.parentId),
    role: action.role === '' ? undefined : action.role,
    sortOrder: action.sortOrder,
    isSubscribed: action.isSubscribed,
    emails: [],
    unreadEmails: 0,
    totalThreads: 0,
    unreadThreads: 0,
    changedAt: at,
    propertiesChangedAt: at,
  });
  image.mailboxesChangedAt = at;
}

export function updateMailbox(image: UserImage, action: MailboxUpdated, at: Ordinal): void {
  const mailbox = mailboxOf(image, action.mailboxId);
  if (action.name !== undefined) mailbox.name = action.name;
  if (action.parentId !== undefined)
    mailbox.parent = action.parentId === '' ? undefined : mailboxOf(image, action.parentId);
  if (action.sortOrder !== undefined) mailbox.sortOrder = action.sortOrder;
  if (action.isSubscribed !== undefined) mailbox.isSubscribed = action.isSubscribed;
  if (action.role !== undefined) changeRole(image, mailbox, action.role, at);
  mailbox.changedAt = at;
  mailbox.propertiesChangedAt = at;
  image.mailboxesChangedAt = at;
}

/** The trash counts threads in a way of its own, so becoming it changes the counts of others, too. */
function changeRole(image: UserImage, mailbox: MailboxRecord, role: string, at: Ordinal): void {
  const wasTrash = mailbox.role === 'trash';
  mailbox.role = role === '' ? undefined : role;
  if (wasTrash === (role === 'trash')) return;
  const before = new Map([...image.mailboxes.values()].map((each) => [each, each.unreadThreads]));
  recount(image.mailboxes.values(), image.threads.values());
  for (const [each, unreadThreads] of before) if (each.unreadThreads !== unreadThreads) each.changedAt = at;
}

export function destroyMailbox(image: UserImage, action: MailboxDestroyed, at: Ordinal): void {
  const mailbox = mailboxOf(image, action.mailboxId);
  if (mailbox.emails.length > 0) throw new BadAction(`mailbox ${action.mailboxId} is not empty`);
  image.mailboxes.delete(mailbox.id);
  for (const [content, shared] of image.sharedMailboxes)
    if (shared.includes(mailbox)) image.sharedMailboxes.delete(content);
  image.destroyedMailboxes.push({ id: mailbox.id, destroyedAt: at });
  if (image.destroyedMailboxes.length > MAX_TOMBSTONES)
    image.mailboxFloor = image.destroyedMailboxes.shift()?.destroyedAt ?? image.mailboxFloor;
  image.mailboxesChangedAt = at;
}
