// Counts of mailboxes (RFC 8621 section 2), and of what is new in the inbox: kept up to date by what a thread adds to them
// before and after a change.
import type { Ordinal } from './ids.ts';
import type { EmailRecord, MailboxCounts, MailboxRecord, UserImage } from './model.ts';

type Mailboxes = ReadonlyMap<Ordinal, MailboxRecord>;
type Counts = { -readonly [Name in keyof MailboxCounts]: number };

const COUNTS = ['totalEmails', 'unreadEmails', 'totalThreads', 'unreadThreads'] as const;
export const NO_COUNTS: MailboxCounts = {
  totalEmails: 0,
  unreadEmails: 0,
  totalThreads: 0,
  unreadThreads: 0,
};

function isUnread(email: EmailRecord): boolean {
  return !email.keywords.includes('$seen') && !email.keywords.includes('$draft');
}

/**
 * Adds to `totals` what a thread counts in every mailbox that it is in. A thread is unread in a mailbox when any of its
 * emails is, in whatever mailbox; but emails that are only in the trash don't count outside of it, nor emails outside of
 * the trash in it.
 */
function addThread(
  totals: Map<Ordinal, Counts>,
  mailboxes: Mailboxes,
  thread: readonly EmailRecord[],
  sign: 1 | -1,
): void {
  const isTrash = (id: Ordinal): boolean => mailboxes.get(id)?.role === 'trash';
  const touched = new Set<Ordinal>();
  let unreadOutside = false;
  let unreadInTrash = false;
  for (const email of thread) {
    const unread = isUnread(email);
    for (const id of email.mailboxIds) {
      touched.add(id);
      const counts = totals.get(id) ?? { ...NO_COUNTS };
      totals.set(id, counts);
      counts.totalEmails += sign;
      if (!unread) continue;
      counts.unreadEmails += sign;
      if (isTrash(id)) unreadInTrash = true;
      else unreadOutside = true;
    }
  }
  for (const id of touched) {
    const counts = totals.get(id);
    if (!counts) continue;
    counts.totalThreads += sign;
    if (isTrash(id) ? unreadInTrash : unreadOutside) counts.unreadThreads += sign;
  }
}

export function inboxOf(mailboxes: Mailboxes): MailboxRecord | undefined {
  for (const mailbox of mailboxes.values()) if (mailbox.role === 'inbox') return mailbox;
  return undefined;
}

/** The last action that may have changed what is unread in the inbox, or new in it. */
export const countsChangedAt = ({ mailboxesChangedAt, inboxSeenAt }: UserImage): Ordinal =>
  Math.max(mailboxesChangedAt, inboxSeenAt);

/** Emails in the inbox that arrived since the user last looked at it, and are unread. */
export function unseenAmong(
  { mailboxes, inboxSeenAt }: Pick<UserImage, 'mailboxes' | 'inboxSeenAt'>,
  emails: readonly EmailRecord[],
): number {
  const inbox = inboxOf(mailboxes)?.id;
  if (inbox === undefined) return 0;
  return emails.filter(
    (email) => email.id > inboxSeenAt && email.mailboxIds.includes(inbox) && isUnread(email),
  ).length;
}

/** Counts a thread that became another, and notes which mailboxes changed by it. */
export function countChange(
  image: UserImage,
  before: readonly EmailRecord[],
  after: readonly EmailRecord[],
  at: Ordinal,
): UserImage {
  const unseen = image.unseen + unseenAmong(image, after) - unseenAmong(image, before);
  const change = new Map<Ordinal, Counts>();
  addThread(change, image.mailboxes, before, -1);
  addThread(change, image.mailboxes, after, 1);
  const changed = [...change].filter(([, counts]) => COUNTS.some((name) => counts[name] !== 0));
  if (changed.length === 0) return image;
  const mailboxes = new Map(image.mailboxes);
  for (const [id, difference] of changed) {
    const mailbox = mailboxes.get(id);
    if (!mailbox) continue;
    const counts: Counts = { ...NO_COUNTS };
    for (const name of COUNTS) counts[name] = mailbox[name] + difference[name];
    mailboxes.set(id, { ...mailbox, ...counts, changedAt: at });
  }
  return { ...image, mailboxes, unseen, mailboxesChangedAt: at };
}

/** Counts everything anew: after a mailbox became the trash, or is it no longer. */
export function recount(
  mailboxes: Mailboxes,
  threads: Iterable<readonly EmailRecord[]>,
): Map<Ordinal, MailboxRecord> {
  const totals = new Map<Ordinal, Counts>();
  for (const thread of threads) addThread(totals, mailboxes, thread, 1);
  return new Map(
    Array.from(mailboxes, ([id, mailbox]) => [id, { ...mailbox, ...(totals.get(id) ?? NO_COUNTS) }]),
  );
}
