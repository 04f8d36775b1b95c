// What has to be done so that a mailbox becomes what it was. Logs only grow: what was destroyed is added again, under a new
// id that says which one it was before (`restoredFrom`), so that the same plan made again finds it and adds nothing twice.
import { parseEmailId, parseMailboxId, seqOf } from '../image/ids.ts';
import type { MailboxUpdated } from '../log/actions.ts';
import type { Contents, EmailContent, MailboxContent } from './contents.ts';

export type RestoreRequest = {
  /** The moment: what the log was after this entry. */
  seq: number;
  /** Mail that came after it stays, and with it the mailboxes that hold it. */
  keepNewer: boolean;
};

/** Changes of a mailbox that is there; its parent is named by an id of now, or of then where it is to be made again. */
type MailboxChange = Omit<MailboxUpdated, 'type'>;

/** Ids of mailboxes in a plan are those of then; `current` says what they are now. */
export type RestorePlan = {
  /** The mailbox of now for each of then that has one. */
  current: ReadonlyMap<string, string>;
  /** To be made again: parents before children. */
  mailboxesToCreate: MailboxContent[];
  mailboxesToChange: MailboxChange[];
  /** Of now: children before parents. */
  mailboxesToDestroy: string[];
  /** As they were then. */
  emailsToAdd: EmailContent[];
  /** By their ids of now, with keywords and mailboxes of then. */
  emailsToChange: EmailContent[];
  emailsToDestroy: string[];
  /** Messages that came later and stay. */
  newerEmails: number;
};

/**
 * @param then the contents after entry `seq`
 * @param now the contents today. Emails that nothing has happened to since may be missing in both.
 */
export function planRestore(then: Contents, now: Contents, request: RestoreRequest): RestorePlan {
  const current = matchIds(then.mailboxes.keys(), now.mailboxes, then, now);
  const emails = matchIds(then.emails.keys(), now.emails, then, now);
  const emailsToAdd: EmailContent[] = [];
  const emailsToChange: EmailContent[] = [];
  for (const email of then.emails.values()) {
    const today = now.emails.get(emails.get(email.id) ?? '');
    if (!today) emailsToAdd.push(email);
    else if (
      !sameSet(today.keywords, email.keywords) ||
      !sameSet(
        today.mailboxIds,
        email.mailboxIds.map((id) => current.get(id) ?? id),
      )
    )
      emailsToChange.push({ ...email, id: today.id });
  }
  const matched = new Set(emails.values());
  const emailsToDestroy: string[] = [];
  const needed = new Set<string>();
  let newerEmails = 0;
  for (const { id, mailboxIds } of now.emails.values()) {
    if (matched.has(id)) continue;
    // One that was destroyed by then, and added again by a restore since, is not newer.
    const isNewer = seqOf(parseEmailId(now.originOf(id)) ?? 0) > request.seq;
    if (!isNewer || !request.keepNewer) emailsToDestroy.push(id);
    else {
      newerEmails++;
      for (const mailbox of mailboxIds) needed.add(mailbox);
    }
  }
  const { changes, gone } = planNewerMailboxes(then, now, current, needed);
  return {
    current,
    mailboxesToCreate: parentsFirst(
      [...then.mailboxes.values()].filter(({ id }) => !current.has(id)),
      then,
    ),
    mailboxesToChange: [...changes, ...planChanges(then, now, current)],
    mailboxesToDestroy: parentsFirst(gone, now)
      .reverse()
      .map(({ id }) => id),
    emailsToAdd,
    emailsToChange,
    emailsToDestroy,
    newerEmails,
  };
}

/** @returns how many things the plan does */
export function countSteps(plan: RestorePlan): number {
  return (
    plan.mailboxesToCreate.length +
    plan.mailboxesToChange.length +
    plan.mailboxesToDestroy.length +
    plan.emailsToAdd.length +
    plan.emailsToChange.length +
    plan.emailsToDestroy.length
  );
}

/** Which of now is which of then: by the same id, or by what both were restored from. */
function matchIds(
  ids: Iterable<string>,
  today: ReadonlyMap<string, unknown>,
  then: Contents,
  now: Contents,
): Map<string, string> {
  const byOrigin = new Map<string, string>();
  for (const id of today.keys()) byOrigin.set(now.originOf(id), id);
  const found = new Map<string, string>();
  for (const id of ids) {
    const match = today.has(id) ? id : byOrigin.get(then.originOf(id));
    if (match !== undefined) found.set(id, match);
  }
  return found;
}

/** What differs of the mailboxes that are there. */
function planChanges(then: Contents, now: Contents, current: ReadonlyMap<string, string>): MailboxChange[] {
  const changes: MailboxChange[] = [];
  for (const [id, todayId] of current) {
    const before = then.mailboxes.get(id);
    const today = now.mailboxes.get(todayId);
    if (!before || !today) continue;
    const parentId = current.get(before.parentId) ?? before.parentId;
    const change: MailboxChange = {
      mailboxId: todayId,
      name: before.name === today.name ? undefined : before.name,
      parentId: parentId === today.parentId ? undefined : parentId,
      role: before.role === today.role ? undefined : before.role,
      sortOrder: before.sortOrder === today.sortOrder ? undefined : before.sortOrder,
      isSubscribed: before.isSubscribed === today.isSubscribed ? undefined : before.isSubscribed,
    };
    const { mailboxId: _, ...fields } = change;
    if (Object.values(fields).some((value) => value !== undefined)) changes.push(change);
  }
  return changes;
}

/** Mailboxes that were not there then: those that are needed stay, and make way for the names and roles of then. */
function planNewerMailboxes(
  then: Contents,
  now: Contents,
  current: ReadonlyMap<string, string>,
  needed: ReadonlySet<string>,
): { changes: MailboxChange[]; gone: MailboxContent[] } {
  const matched = new Set(current.values());
  const newer = [...now.mailboxes.values()].filter(({ id }) => !matched.has(id));
  const stays = new Set<string>();
  for (const { id } of newer) {
    if (!needed.has(id)) continue;
    for (let at = now.mailboxes.get(id); at && !stays.has(at.id); at = now.mailboxes.get(at.parentId))
      stays.add(at.id);
  }
  const place = (parentId: string, name: string): string => `${current.get(parentId) ?? parentId}\n${name}`;
  const taken = new Set([...then.mailboxes.values()].map(({ parentId, name }) => place(parentId, name)));
  const roles = new Set([...then.mailboxes.values()].map(({ role }) => role).filter((role) => role !== ''));
  const changes: MailboxChange[] = [];
  for (const { id, name, parentId, role } of newer) {
    if (!stays.has(id)) continue;
    let free = name;
    for (let number = 2; taken.has(place(parentId, free)); number++) free = `${name} (${number})`;
    taken.add(place(parentId, free));
    if (free === name && !roles.has(role)) continue;
    changes.push({
      mailboxId: id,
      name: free === name ? undefined : free,
      role: roles.has(role) ? '' : undefined,
    });
  }
  return { changes, gone: newer.filter(({ id }) => !stays.has(id)) };
}

function parentsFirst(mailboxes: MailboxContent[], all: Contents): MailboxContent[] {
  const depth = ({ parentId }: MailboxContent): number => {
    let levels = 0;
    for (
      let at = all.mailboxes.get(parentId);
      at && levels < all.mailboxes.size;
      at = all.mailboxes.get(at.parentId)
    )
      levels++;
    return levels;
  };
  return mailboxes
    .map((mailbox) => ({ mailbox, depth: depth(mailbox), made: parseMailboxId(mailbox.id) ?? 0 }))
    .sort((a, b) => a.depth - b.depth || a.made - b.made)
    .map(({ mailbox }) => mailbox);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const items = new Set(a);
  return items.size === new Set(b).size && b.every((item) => items.has(item));
}
