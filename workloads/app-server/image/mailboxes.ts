// What the actions on mailboxes do to an image.
import type { MailboxCreated, MailboxDestroyed, MailboxUpdated } from '../log/actions.ts';
import { BadAction } from './bad-action.ts';
import { NO_COUNTS, recount, unseenAmong } from './counts.ts';
import { parseMailboxId, type Ordinal } from './ids.ts';
import type { MailboxRecord, UserImage } from './model.ts';
import { shared } from './shared.ts';
import { allEmails, allThreads } from './threads.ts';

/** Destroyed mailboxes that are remembered for Mailbox/changes. */
const MAX_TOMBSTONES = 256;

/** @throws BadAction */
export function mailboxOf(image: UserImage, id: string): MailboxRecord {
  const at = parseMailboxId(id);
  const mailbox = at === undefined ? undefined : image.mailboxes.get(at);
  if (!mailbox) throw new BadAction(`there is no mailbox ${id}`);
  return mailbox;
}

function parentOf(image: UserImage, parentId: string): Ordinal | undefined {
  return parentId === '' ? undefined : mailboxOf(image, parentId).id;
}

export function createMailbox(image: UserImage, action: MailboxCreated, at: Ordinal): UserImage {
  const mailbox: MailboxRecord = {
    id: at,
    name: shared(action.name),
    parentId: parentOf(image, action.parentId),
    role: action.role === '' ? undefined : shared(action.role),
    sortOrder: action.sortOrder,
    isSubscribed: action.isSubscribed,
    ...NO_COUNTS,
    changedAt: at,
    propertiesChangedAt: at,
  };
  return { ...image, mailboxes: new Map(image.mailboxes).set(at, mailbox), mailboxesChangedAt: at };
}

export function updateMailbox(image: UserImage, action: MailboxUpdated, at: Ordinal): UserImage {
  const before = mailboxOf(image, action.mailboxId);
  const mailbox: MailboxRecord = {
    ...before,
    name: action.name ?? before.name,
    parentId: action.parentId === undefined ? before.parentId : parentOf(image, action.parentId),
    sortOrder: action.sortOrder ?? before.sortOrder,
    isSubscribed: action.isSubscribed ?? before.isSubscribed,
    role: action.role === undefined ? before.role : action.role === '' ? undefined : action.role,
    changedAt: at,
    propertiesChangedAt: at,
  };
  const mailboxes = new Map(image.mailboxes).set(mailbox.id, mailbox);
  let next = { ...image, mailboxes, mailboxesChangedAt: at };
  if ((before.role === 'inbox') !== (mailbox.role === 'inbox'))
    next = { ...next, unseen: unseenAmong(next, [...allEmails(next)]) };
  // The trash counts threads in a way of its own, so becoming it changes the counts of others, too.
  return (before.role === 'trash') === (mailbox.role === 'trash') ? next : recounted(next, at);
}

function recounted(image: UserImage, at: Ordinal): UserImage {
  const mailboxes = recount(image.mailboxes, allThreads(image));
  for (const [id, mailbox] of mailboxes) {
    const before = image.mailboxes.get(id);
    if (before?.unreadThreads !== mailbox.unreadThreads) mailboxes.set(id, { ...mailbox, changedAt: at });
  }
  return { ...image, mailboxes };
}

export function destroyMailbox(image: UserImage, action: MailboxDestroyed, at: Ordinal): UserImage {
  const mailbox = mailboxOf(image, action.mailboxId);
  if (mailbox.totalEmails > 0) throw new BadAction(`mailbox ${action.mailboxId} is not empty`);
  const mailboxes = new Map(image.mailboxes);
  mailboxes.delete(mailbox.id);
  const tombstones = [...image.destroyedMailboxes, { id: mailbox.id, destroyedAt: at }];
  const forgotten = tombstones.length > MAX_TOMBSTONES ? tombstones.shift() : undefined;
  return {
    ...image,
    mailboxes,
    destroyedMailboxes: tombstones,
    mailboxFloor: forgotten?.destroyedAt ?? image.mailboxFloor,
    mailboxesChangedAt: at,
  };
}
