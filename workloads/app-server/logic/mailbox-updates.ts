// Changes of mailboxes (RFC 8621 section 2.5).
import { emailId, mailboxId, ordinal, parseMailboxId, threadId } from '../image/ids.ts';
import type { MailboxRecord, UserImage } from '../image/model.ts';
import { invalidProperties, NOT_FOUND, type SetError } from './set-error.ts';
import { userOf, type Tx } from './users.ts';
import { emailsOf } from '../image/email-record.ts';
import { EmailList } from '../image/lists.ts';

export const MAX_MAILBOXES = 1_000;
export const MAX_MAILBOX_DEPTH = 10;
export const MAX_MAILBOX_NAME_BYTES = 255;
/** JMAP's UnsignedInt for sortOrder: below 2^31. */
const MAX_SORT_ORDER = 2 ** 31 - 1;
/** The IANA registry of mailbox name attributes, as far as a user may give them. */
const ROLES = new Set(['inbox', 'archive', 'drafts', 'sent', 'junk', 'trash', 'important', 'all', 'flagged']);
/** Emails that one transaction moves or destroys together with mailboxes: so its entry stays far below the store's bound. */
const MAX_REMOVALS = 2_000;

/** How many emails a transaction may still remove with mailboxes. */
export type RemovalBudget = { left: number };

export function removalBudget(): RemovalBudget {
  return { left: MAX_REMOVALS };
}

/** What a client may set; a value of undefined was not named. */
export type MailboxProperties = {
  name?: string | undefined;
  parentId?: string | null | undefined;
  role?: string | null | undefined;
  sortOrder?: number | undefined;
  isSubscribed?: boolean | undefined;
};

export function findMailbox(image: UserImage, id: string): MailboxRecord | undefined {
  const at = parseMailboxId(id);
  return at === undefined ? undefined : image.mailboxes.get(at);
}

export function addMailbox(tx: Tx, wanted: MailboxProperties): { id: string } | SetError {
  const image = userOf(tx);
  if (wanted.name === undefined) return invalidProperties(['name'], 'A mailbox has a name.');
  if (image.mailboxes.size >= MAX_MAILBOXES)
    return { type: 'overQuota', description: `At most ${MAX_MAILBOXES} mailboxes.` };
  const problem = check(image, undefined, wanted);
  if (problem) return problem;
  const { sortOrder = 100, isSubscribed = true } = wanted;
  const at = tx.add({
    type: 'mailboxCreated',
    name: wanted.name.normalize('NFC'),
    parentId: wanted.parentId ?? '',
    role: wanted.role ?? '',
    sortOrder,
    isSubscribed,
  });
  return { id: mailboxId(ordinal(at)) };
}

export function changeMailbox(tx: Tx, id: string, wanted: MailboxProperties): SetError | undefined {
  const image = userOf(tx);
  const mailbox = findMailbox(image, id);
  if (!mailbox) return NOT_FOUND;
  const problem = check(image, mailbox, wanted);
  if (problem) return problem;
  if (Object.values(wanted).every((value) => value === undefined)) return undefined;
  tx.add({
    type: 'mailboxUpdated',
    mailboxId: id,
    name: wanted.name?.normalize('NFC'),
    parentId: wanted.parentId === null ? '' : wanted.parentId,
    role: wanted.role === null ? '' : wanted.role,
    sortOrder: wanted.sortOrder,
    isSubscribed: wanted.isSubscribed,
  });
  return undefined;
}

/**
 * Destroys a mailbox. Emails that are in no other go with it, if the client asked for that.
 * @returns 'more' when there were too many emails for one transaction: call it again in the next
 */
export function removeMailbox(
  tx: Tx,
  id: string,
  removeEmails: boolean,
  budget: RemovalBudget,
): SetError | 'more' | undefined {
  const image = userOf(tx);
  const mailbox = findMailbox(image, id);
  if (!mailbox) return NOT_FOUND;
  if (mailbox.role === 'inbox')
    return { type: 'forbidden', description: 'Mail needs a place to arrive: the inbox stays.' };
  for (const other of image.mailboxes.values())
    if (other.parentId === mailbox.id)
      return { type: 'mailboxHasChild', description: `Mailbox ${mailboxId(other.id)} lies below it.` };
  if (mailbox.totalEmails > 0 && !removeEmails)
    return { type: 'mailboxHasEmail', description: 'It is not empty; see onDestroyRemoveEmails.' };
  const left = Math.max(0, mailbox.totalEmails - budget.left);
  const removals = emailsOf(image, new EmailList(image, mailbox.id).from(left));
  budget.left -= removals.length;
  for (const email of removals) {
    const others = email.mailboxIds.filter((other) => other !== mailbox.id);
    if (others.length === 0)
      tx.add({ type: 'messageDestroyed', emailId: emailId(email.id), threadId: threadId(email.threadId) });
    else
      tx.add({
        type: 'messageMailboxesChanged',
        emailId: emailId(email.id),
        mailboxIds: others.map(mailboxId),
      });
  }
  if (left > 0) return 'more';
  tx.add({ type: 'mailboxDestroyed', mailboxId: id });
  return undefined;
}

/** What holds for a mailbox that is to be: `mailbox` is it as it is now, undefined for a new one. */
function check(
  image: UserImage,
  mailbox: MailboxRecord | undefined,
  wanted: MailboxProperties,
): SetError | undefined {
  const name = wanted.name?.normalize('NFC') ?? mailbox?.name ?? '';
  if (!isMailboxName(name))
    return invalidProperties(['name'], `1 to ${MAX_MAILBOX_NAME_BYTES} bytes of UTF-8 without controls.`);
  const parent = wanted.parentId === undefined ? above(image, mailbox) : parentOf(image, wanted.parentId);
  if (parent === 'none') return invalidProperties(['parentId'], 'There is no such mailbox.');
  const depth = depthBelow(image, mailbox, parent);
  if (depth === undefined) return invalidProperties(['parentId'], 'A mailbox is not below itself.');
  if (depth + heightOf(image, mailbox) > MAX_MAILBOX_DEPTH)
    return invalidProperties(['parentId'], `Mailboxes lie at most ${MAX_MAILBOX_DEPTH} deep.`);
  for (const other of image.mailboxes.values()) {
    if (other.id === mailbox?.id) continue;
    if (other.parentId === parent?.id && other.name === name)
      return {
        ...invalidProperties(['name'], 'There is one of this name here already.'),
        existingId: mailboxId(other.id),
      };
    if (wanted.role && other.role === wanted.role)
      return invalidProperties(['role'], `Mailbox ${mailboxId(other.id)} has this role.`);
  }
  if (wanted.role && !ROLES.has(wanted.role))
    return invalidProperties(['role'], `One of ${[...ROLES].join(', ')}, or null.`);
  if (mailbox?.role === 'inbox' && wanted.role !== undefined && wanted.role !== 'inbox')
    return invalidProperties(['role'], 'The inbox stays the inbox.');
  if (wanted.sortOrder !== undefined && !isSortOrder(wanted.sortOrder))
    return invalidProperties(['sortOrder'], `A whole number from 0 to ${MAX_SORT_ORDER}.`);
  return undefined;
}

function isMailboxName(name: string): boolean {
  return name.length > 0 && Buffer.byteLength(name) <= MAX_MAILBOX_NAME_BYTES && !/\p{Cc}/u.test(name);
}

function isSortOrder(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_SORT_ORDER;
}

function parentOf(image: UserImage, id: string | null): MailboxRecord | undefined | 'none' {
  return id === null ? undefined : (findMailbox(image, id) ?? 'none');
}

/** The mailbox that one lies in. */
export function above(image: UserImage, mailbox: MailboxRecord | undefined): MailboxRecord | undefined {
  return mailbox?.parentId === undefined ? undefined : image.mailboxes.get(mailbox.parentId);
}

/** @returns how deep a child of `parent` lies, 1 at the top; undefined when `mailbox` is above `parent` or is it */
function depthBelow(
  image: UserImage,
  mailbox: MailboxRecord | undefined,
  parent: MailboxRecord | undefined,
): number | undefined {
  let depth = 1;
  for (let at = parent; at; at = above(image, at)) {
    if (at.id === mailbox?.id) return undefined;
    depth++;
  }
  return depth;
}

/** @returns how many levels lie below the mailbox */
function heightOf(image: UserImage, mailbox: MailboxRecord | undefined): number {
  if (!mailbox) return 0;
  let height = 0;
  for (const other of image.mailboxes.values()) {
    let distance = 0;
    for (let at: MailboxRecord | undefined = other; at; at = above(image, at)) {
      if (at.id === mailbox.id) height = Math.max(height, distance);
      distance++;
    }
  }
  return height;
}
