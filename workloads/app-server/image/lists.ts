// Lists of emails by receivedAt, oldest first; the id breaks ties. A page of such a list costs the same whatever its length.
import type { Ordinal } from './ids.ts';
import type { EmailRecord, UserImage } from './model.ts';
import type { Tree } from './pages/tree.ts';
import { emailOfListKey, listKey } from './record-keys.ts';

/** The list of all emails. */
export const ALL_MAIL: Ordinal = 0;

/** Leaves of a list that are asked for at once when all of it is read. */
const READ_AHEAD = 64;

export class EmailList {
  readonly #lists: Tree;
  readonly #mailbox: Ordinal;
  readonly #start: number;
  readonly length: number;

  /** @param mailbox ALL_MAIL for all @throws PageMissing */
  constructor(image: UserImage, mailbox: Ordinal) {
    this.#lists = image.lists;
    this.#mailbox = mailbox;
    this.#start = image.lists.rank(listKey(mailbox));
    this.length = mailbox === ALL_MAIL ? image.emails.size : (image.mailboxes.get(mailbox)?.totalEmails ?? 0);
  }

  /** @param index 0 is the oldest @throws PageMissing */
  at(index: number): Ordinal | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const key = this.#lists.at(this.#start + index);
    return key && emailOfListKey(key);
  }

  /** @returns -1 for an email that is not in the list @throws PageMissing */
  indexOf(email: EmailRecord): number {
    const key = listKey(this.#mailbox, email.receivedAtMs, email.id);
    return this.#lists.has(key) ? this.#lists.rank(key) - this.#start : -1;
  }

  /** Oldest first, from an index on. @throws PageMissing */
  *from(index: number): Generator<Ordinal, void, undefined> {
    const first = index < this.length ? this.#lists.at(this.#start + index) : undefined;
    if (!first) return;
    const range = { from: first, to: listKey(this.#mailbox + 1), readAhead: READ_AHEAD };
    for (const key of this.#lists.range(range)) yield emailOfListKey(key);
  }
}

/** Puts an email into the lists that it belongs to, or takes it out. @throws PageMissing */
export function listed(lists: Tree, { id, receivedAtMs, mailboxIds }: EmailRecord): Tree {
  let tree = lists;
  for (const mailbox of [ALL_MAIL, ...mailboxIds]) tree = tree.put(listKey(mailbox, receivedAtMs, id));
  return tree;
}

/** @throws PageMissing */
export function unlisted(lists: Tree, { id, receivedAtMs, mailboxIds }: EmailRecord): Tree {
  let tree = lists;
  for (const mailbox of [ALL_MAIL, ...mailboxIds]) tree = tree.delete(listKey(mailbox, receivedAtMs, id));
  return tree;
}
