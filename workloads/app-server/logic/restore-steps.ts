// The steps of a restore, each in a transaction: it looks at what is there now, as the user may be at work meanwhile.
import { mailboxId, ordinal } from '../image/ids.ts';
import type { MessageAdded } from '../log/actions.ts';
import type { EmailContent } from './contents.ts';
import { destroyEmail, updateEmail } from './email-updates.ts';
import { findMailbox, removalBudget, removeMailbox } from './mailbox-updates.ts';
import type { RestorePlan } from './restore-plan.ts';
import { userOf, type Tx } from './users.ts';

/** A message that is added again. */
export type Returning = {
  was: EmailContent;
  /** How it was added first. */
  added: MessageAdded;
  /** Its bytes, where they were beside the entry. */
  bytes: Uint8Array | undefined;
};

/** Mailboxes made again and changed, all at once: their names and places depend on one another. @returns then → now */
export function restoreMailboxes(tx: Tx, plan: RestorePlan): Map<string, string> {
  const current = new Map(plan.current);
  const isThere = (id: string): boolean => findMailbox(userOf(tx), id) !== undefined;
  for (const { id, parentId, ...mailbox } of plan.mailboxesToCreate) {
    const parent = current.get(parentId) ?? '';
    const at = tx.add({
      type: 'mailboxCreated',
      ...mailbox,
      parentId: isThere(parent) ? parent : '',
      restoredFrom: id,
    });
    current.set(id, mailboxId(ordinal(at)));
  }
  for (const change of plan.mailboxesToChange) {
    if (!isThere(change.mailboxId)) continue;
    const parent =
      change.parentId === undefined ? undefined : (current.get(change.parentId) ?? change.parentId);
    const parentId = parent === undefined || parent === '' || isThere(parent) ? parent : '';
    tx.add({ type: 'mailboxUpdated', ...change, parentId });
  }
  return current;
}

/** Adds messages again, with the keywords and in the mailboxes that they had. */
export function addReturning(
  tx: Tx,
  messages: readonly Returning[],
  current: ReadonlyMap<string, string>,
): void {
  for (const { was, added, bytes } of messages) {
    const mailboxIds = placesNow(tx, was.mailboxIds, current);
    if (mailboxIds.length === 0) continue;
    tx.add({
      ...added,
      mailboxIds,
      keywords: [...was.keywords],
      threadId: was.threadId,
      // The delivery is remembered as it is: the same mail coming again changes nothing.
      deliveryKey: '',
      isUnsure: undefined,
      restoredFrom: was.id,
      ...(bytes && { body: { kind: 'inline', index: tx.addBody(bytes) } }),
    });
  }
}

/** Gives messages the keywords and mailboxes that they had. One that is gone by now stays gone. */
export function changeBack(
  tx: Tx,
  emails: readonly EmailContent[],
  current: ReadonlyMap<string, string>,
): void {
  for (const { id, keywords, mailboxIds } of emails) {
    const places = placesNow(tx, mailboxIds, current);
    updateEmail(tx, id, {
      keywords: Object.fromEntries(keywords.map((keyword) => [keyword, true])),
      ...(places.length > 0 && { mailboxIds: Object.fromEntries(places.map((place) => [place, true])) }),
    });
  }
}

export function destroyEmails(tx: Tx, ids: readonly string[]): void {
  for (const id of ids) destroyEmail(tx, id);
}

/** One that has got mail or children meanwhile stays. */
export function destroyMailboxes(tx: Tx, ids: readonly string[]): void {
  for (const id of ids) removeMailbox(tx, id, false, removalBudget());
}

function placesNow(tx: Tx, ids: readonly string[], current: ReadonlyMap<string, string>): string[] {
  const image = userOf(tx);
  return ids.map((id) => current.get(id) ?? id).filter((id) => findMailbox(image, id) !== undefined);
}
