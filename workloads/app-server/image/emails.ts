// What the actions on messages do to an image.
import { createHash } from 'node:crypto';
import type {
  MessageAdded,
  MessageDestroyed,
  MessageKeywordsChanged,
  MessageMailboxesChanged,
} from '../log/actions.ts';
import { BadAction } from './bad-action.ts';
import { countEmail, countThread, mailboxesOf } from './counts.ts';
import { DIGEST_BYTES } from './delivery-window.ts';
import { parseEmailId, parseThreadId, type Ordinal } from './ids.ts';
import { mailboxOf } from './mailboxes.ts';
import type { EmailRecord, MailboxRecord, ThreadRecord, UserImage } from './model.ts';
import { insertByDate, removeByDate } from './order.ts';
import { forgetThread, rememberThread, threadKeys } from './threading.ts';

function deliveryDigest(deliveryKey: string): Uint8Array {
  return createHash('sha256').update(deliveryKey).digest().subarray(0, DIGEST_BYTES);
}

/** @returns the email that a delivery made, if it is remembered */
export function findDelivery(image: UserImage, deliveryKey: string): Ordinal | undefined {
  return image.deliveries.find(deliveryDigest(deliveryKey));
}

export function addMessage(image: UserImage, action: MessageAdded, at: Ordinal): void {
  const thread = threadOf(image, action.threadId, at);
  const email: EmailRecord = {
    id: at,
    receivedAtMs: action.receivedAtMs,
    sizeBytes: action.sizeBytes,
    hasAttachment: action.message.hasAttachment,
    thread,
    mailboxes: sharedMailboxes(image, action.mailboxIds),
    keywords: sharedKeywords(image, action.keywords),
  };
  changeThread(image, thread, at, () => {
    // A list of its own size: most threads stay of one email, and a list that was pushed to has room for 16 more.
    if (thread.emails.length === 0) thread.emails = [email];
    else insertByDate(thread.emails, email);
    image.emails.set(at, email);
    insertByDate(image.emailsByDate, email);
    for (const mailbox of email.mailboxes) insertByDate(mailbox.emails, email);
    countEmail(email, 1);
  });
  rememberThread(image, threadKeys(action.message.headers), thread.id);
  image.emailsChangedAt = at;
  image.threadsChangedAt = at;
  if (action.deliveryKey !== '') rememberDelivery(image, action.deliveryKey, at);
}

function threadOf(image: UserImage, id: string, at: Ordinal): ThreadRecord {
  const known = id === '' ? undefined : parseThreadId(id);
  if (known === undefined && id !== '') throw new BadAction(`${id} is no thread`);
  const thread = image.threads.get(known ?? at) ?? { id: known ?? at, emails: [] };
  image.threads.set(thread.id, thread);
  return thread;
}

function rememberDelivery(image: UserImage, deliveryKey: string, at: Ordinal): void {
  image.deliveries.add(deliveryDigest(deliveryKey), at);
  image.lastDeliveryAt = at;
}

export function changeKeywords(image: UserImage, action: MessageKeywordsChanged, at: Ordinal): void {
  const email = emailOf(image, action.emailId);
  changeThread(image, email.thread, at, () => {
    countEmail(email, -1);
    email.keywords = sharedKeywords(image, action.keywords);
    countEmail(email, 1);
  });
  image.emailsChangedAt = at;
}

export function changeMailboxes(image: UserImage, action: MessageMailboxesChanged, at: Ordinal): void {
  const email = emailOf(image, action.emailId);
  const after = sharedMailboxes(image, action.mailboxIds);
  changeThread(image, email.thread, at, () => {
    const before = email.mailboxes;
    countEmail(email, -1);
    for (const mailbox of before) if (!after.includes(mailbox)) removeByDate(mailbox.emails, email);
    for (const mailbox of after) if (!before.includes(mailbox)) insertByDate(mailbox.emails, email);
    email.mailboxes = after;
    countEmail(email, 1);
  });
  image.emailsChangedAt = at;
}

export function destroyMessage(image: UserImage, action: MessageDestroyed, at: Ordinal): void {
  const email = emailOf(image, action.emailId);
  const { thread } = email;
  changeThread(image, thread, at, () => {
    countEmail(email, -1);
    removeByDate(thread.emails, email);
    removeByDate(image.emailsByDate, email);
    for (const mailbox of email.mailboxes) removeByDate(mailbox.emails, email);
    image.emails.delete(email.id);
  });
  if (thread.emails.length === 0) {
    image.threads.delete(thread.id);
    forgetThread(image);
  }
  image.emailsChangedAt = at;
  image.threadsChangedAt = at;
}

function emailOf(image: UserImage, id: string): EmailRecord {
  const at = parseEmailId(id);
  const email = at === undefined ? undefined : image.emails.get(at);
  if (!email) throw new BadAction(`there is no email ${id}`);
  return email;
}

type Counts = [emails: number, unreadEmails: number, threads: number, unreadThreads: number];

function countsOf(mailbox: MailboxRecord): Counts {
  return [mailbox.emails.length, mailbox.unreadEmails, mailbox.totalThreads, mailbox.unreadThreads];
}

/** Runs a change of the thread's emails; keeps the mailboxes' counts of threads, and notes which mailboxes changed. */
function changeThread(image: UserImage, thread: ThreadRecord, at: Ordinal, change: () => void): void {
  const before = new Map<MailboxRecord, Counts>();
  for (const mailbox of mailboxesOf(thread)) before.set(mailbox, countsOf(mailbox));
  countThread(thread, -1);
  change();
  countThread(thread, 1);
  // A mailbox that the thread is in only now has one thread more at least.
  for (const mailbox of mailboxesOf(thread)) if (!before.has(mailbox)) mailboxChanged(image, mailbox, at);
  for (const [mailbox, counts] of before) {
    const now = countsOf(mailbox);
    if (counts.some((count, index) => count !== now[index])) mailboxChanged(image, mailbox, at);
  }
}

function mailboxChanged(image: UserImage, mailbox: MailboxRecord, at: Ordinal): void {
  mailbox.changedAt = at;
  image.mailboxesChangedAt = at;
}

/** At most this many different lists are shared; a user with more has emails with lists of their own. */
const MAX_SHARED = 1024;

function sharedKeywords(image: UserImage, keywords: readonly string[]): readonly string[] {
  const sorted = [...keywords].sort();
  const content = sorted.join('\n');
  return share(image.sharedKeywords, content, sorted);
}

function sharedMailboxes(image: UserImage, ids: readonly string[]): readonly MailboxRecord[] {
  const sorted = [...ids].sort();
  if (sorted.length === 0) throw new BadAction('an email is in no mailbox');
  return share(
    image.sharedMailboxes,
    sorted.join('\n'),
    sorted.map((id) => mailboxOf(image, id)),
  );
}

function share<T>(lists: Map<string, readonly T[]>, content: string, list: readonly T[]): readonly T[] {
  const known = lists.get(content);
  if (known) return known;
  if (lists.size < MAX_SHARED) lists.set(content, list);
  return list;
}
