// What the actions on messages do to an image.
import type {
  MessageAdded,
  MessageDestroyed,
  MessageKeywordsChanged,
  MessageMailboxesChanged,
  MessageRefiled,
} from '../log/actions.ts';
import { BadAction } from './bad-action.ts';
import { countChange } from './counts.ts';
import { rememberDelivery } from './deliveries.ts';
import { emailOf, putEmail, removeEmail } from './email-record.ts';
import { parseEmailId, parseThreadId, type Ordinal } from './ids.ts';
import { isMove, noteSure, noteUnsure } from './filing.ts';
import { listed, unlisted } from './lists.ts';
import { mailboxOf } from './mailboxes.ts';
import type { EmailRecord, UserImage } from './model.ts';
import { ordinalKey } from './record-keys.ts';
import { rememberThread, threadKeys } from './threading.ts';
import { threadEmails } from './threads.ts';

export function addMessage(image: UserImage, action: MessageAdded, at: Ordinal): UserImage {
  const threadId = threadOf(action.threadId) ?? at;
  const email: EmailRecord = {
    id: at,
    receivedAtMs: action.receivedAtMs,
    sizeBytes: action.sizeBytes,
    hasAttachment: action.message.hasAttachment,
    threadId,
    mailboxIds: mailboxIdsOf(image, action.mailboxIds),
    keywords: [...action.keywords],
  };
  const thread = threadId === at ? [] : threadEmails(image, threadId);
  let next = putEmail(image, undefined, email);
  next = { ...next, lists: listed(next.lists, email) };
  if (threadId !== at) next = { ...next, threads: next.threads.put(ordinalKey(threadId, at)) };
  next = countChange(next, thread, [...thread, email], at);
  next = rememberThread(next, threadKeys(action.message.headers), threadId);
  if (action.deliveryKey !== '')
    next = rememberDelivery(next, action.deliveryKey, at, action.isMuted ?? false);
  if (action.isUnsure) next = { ...next, filing: noteUnsure(next, at) };
  return { ...next, emailsChangedAt: at, threadsChangedAt: at };
}

function threadOf(id: string): Ordinal | undefined {
  if (id === '') return undefined;
  const thread = parseThreadId(id);
  if (thread === undefined) throw new BadAction(`${id} is no thread`);
  return thread;
}

function mailboxIdsOf(image: UserImage, ids: readonly string[]): Ordinal[] {
  if (ids.length === 0) throw new BadAction('an email is in no mailbox');
  const found = new Set(ids.map((id) => mailboxOf(image, id).id));
  return [...found].sort((a, b) => a - b);
}

export function changeKeywords(image: UserImage, action: MessageKeywordsChanged, at: Ordinal): UserImage {
  const email = existing(image, action.emailId);
  return replaceEmail(image, email, { ...email, keywords: [...action.keywords] }, at);
}

/** @throws BadAction, PageMissing */
export function refile(image: UserImage, action: MessageRefiled, at: Ordinal): UserImage {
  const { emailId: id, mailboxIds } = action;
  if (!isMove(action)) return noteSure(image, existing(image, id).id);
  return changeMailboxes(image, { type: 'messageMailboxesChanged', emailId: id, mailboxIds }, at);
}

export function changeMailboxes(image: UserImage, action: MessageMailboxesChanged, at: Ordinal): UserImage {
  const email = existing(image, action.emailId);
  const moved = { ...email, mailboxIds: mailboxIdsOf(image, action.mailboxIds) };
  const unplaced = { ...image, lists: unlisted(image.lists, email) };
  const placed = { ...unplaced, lists: listed(unplaced.lists, moved) };
  return replaceEmail(placed, email, moved, at);
}

function replaceEmail(image: UserImage, before: EmailRecord, email: EmailRecord, at: Ordinal): UserImage {
  const thread = threadEmails(image, before.threadId);
  const changed = thread.map((each) => (each.id === email.id ? email : each));
  const next = countChange(putEmail(image, before, email), thread, changed, at);
  return { ...noteSure(next, email.id), emailsChangedAt: at };
}

export function destroyMessage(image: UserImage, action: MessageDestroyed, at: Ordinal): UserImage {
  const email = existing(image, action.emailId);
  const { id, threadId } = email;
  const thread = threadEmails(image, threadId);
  const left = thread.filter((each) => each.id !== id);
  const removed = removeEmail(image, email);
  const next = countChange({ ...removed, lists: unlisted(removed.lists, email) }, thread, left, at);
  const threads = threadId === id ? next.threads : next.threads.delete(ordinalKey(threadId, id));
  return { ...noteSure(next, id), threads, emailsChangedAt: at, threadsChangedAt: at };
}

function existing(image: UserImage, id: string): EmailRecord {
  const at = parseEmailId(id);
  const email = at === undefined ? undefined : emailOf(image, at);
  if (!email) throw new BadAction(`there is no email ${id}`);
  return email;
}
