// Counts of mailboxes (RFC 8621 section 2): kept up to date by taking a thread's share out, changing it, and adding it again.
import type { EmailRecord, MailboxRecord, ThreadRecord } from './model.ts';

function isUnread(email: EmailRecord): boolean {
  return !email.keywords.includes('$seen') && !email.keywords.includes('$draft');
}

/**
 * Adds (1) or takes out (-1) the thread in the counts of threads of every mailbox that it is in. A thread is unread in a
 * mailbox when any of its emails is, in whatever mailbox; but emails that are only in the trash don't count outside of
 * it, nor emails outside of the trash in it.
 */
export function countThread(thread: ThreadRecord, sign: 1 | -1): void {
  let unreadOutside = false;
  let unreadInTrash = false;
  for (const email of thread.emails) {
    if (!isUnread(email)) continue;
    for (const mailbox of email.mailboxes) {
      if (mailbox.role === 'trash') unreadInTrash = true;
      else unreadOutside = true;
    }
  }
  for (const mailbox of mailboxesOf(thread)) {
    mailbox.totalThreads += sign;
    if (mailbox.role === 'trash' ? unreadInTrash : unreadOutside) mailbox.unreadThreads += sign;
  }
}

export function countEmail(email: EmailRecord, sign: 1 | -1): void {
  if (!isUnread(email)) return;
  for (const mailbox of email.mailboxes) mailbox.unreadEmails += sign;
}

/** Every mailbox that holds an email of the thread, once. */
export function mailboxesOf(thread: ThreadRecord): Iterable<MailboxRecord> {
  const only = thread.emails.length === 1 ? thread.emails[0] : undefined;
  if (only) return only.mailboxes;
  const mailboxes = new Set<MailboxRecord>();
  for (const email of thread.emails) for (const mailbox of email.mailboxes) mailboxes.add(mailbox);
  return mailboxes;
}

/** Counts everything anew: after a mailbox became the trash, or is it no longer. */
export function recount(mailboxes: Iterable<MailboxRecord>, threads: Iterable<ThreadRecord>): void {
  for (const mailbox of mailboxes) {
    mailbox.unreadEmails = 0;
    mailbox.totalThreads = 0;
    mailbox.unreadThreads = 0;
  }
  for (const thread of threads) {
    countThread(thread, 1);
    for (const email of thread.emails) countEmail(email, 1);
  }
}
