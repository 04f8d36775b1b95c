// What a mailbox holds, as plain values by id: the same log as the image's, folded for looking at two moments of it side
// by side (restore) or at a log without a server (export). No counts, no order, no threads.
import { emailId, mailboxId, ordinal, threadId } from '../image/ids.ts';
import type { Action } from '../log/actions.ts';

export type MailboxContent = {
  readonly id: string;
  readonly name: string;
  /** '' at the top. */
  readonly parentId: string;
  /** '' for none. */
  readonly role: string;
  readonly sortOrder: number;
  readonly isSubscribed: boolean;
};

export type EmailContent = {
  readonly id: string;
  readonly threadId: string;
  readonly mailboxIds: readonly string[];
  readonly keywords: readonly string[];
};

type Place = { seq: number; index: number };

export class Contents {
  readonly mailboxes = new Map<string, MailboxContent>();
  readonly emails = new Map<string, EmailContent>();
  /** For what a restore made again, alive or not: the id under which it was made first. */
  readonly origins = new Map<string, string>();
  readonly #isKept: (emailId: string) => boolean;

  /** @param isKept which emails are of interest; those that a restore added again always are */
  constructor(isKept: (emailId: string) => boolean = () => true) {
    this.#isKept = isKept;
  }

  /** The id under which a mailbox or email was made first: what it has in common with those that it was restored from. */
  originOf(id: string): string {
    return this.origins.get(id) ?? id;
  }

  /** A copy that does not follow. Values are never changed in place, so it costs a table. */
  copy(): Contents {
    const made = new Contents(this.#isKept);
    for (const [id, mailbox] of this.mailboxes) made.mailboxes.set(id, mailbox);
    for (const [id, email] of this.emails) made.emails.set(id, email);
    for (const [id, origin] of this.origins) made.origins.set(id, origin);
    return made;
  }

  apply(action: Action, at: Place): void {
    switch (action.type) {
      case 'mailboxCreated': {
        const { name, parentId, role, sortOrder, isSubscribed, restoredFrom } = action;
        const id = mailboxId(ordinal(at));
        if (restoredFrom) this.origins.set(id, this.originOf(restoredFrom));
        this.mailboxes.set(id, { id, name, parentId, role, sortOrder, isSubscribed });
        return;
      }
      case 'mailboxUpdated': {
        const mailbox = this.mailboxes.get(action.mailboxId);
        if (!mailbox) return;
        const { name, parentId, role, sortOrder, isSubscribed } = action;
        this.mailboxes.set(mailbox.id, {
          id: mailbox.id,
          name: name ?? mailbox.name,
          parentId: parentId ?? mailbox.parentId,
          role: role ?? mailbox.role,
          sortOrder: sortOrder ?? mailbox.sortOrder,
          isSubscribed: isSubscribed ?? mailbox.isSubscribed,
        });
        return;
      }
      case 'mailboxDestroyed':
        this.mailboxes.delete(action.mailboxId);
        return;
      case 'messageAdded': {
        const id = emailId(ordinal(at));
        const { restoredFrom, mailboxIds, keywords } = action;
        if (restoredFrom) this.origins.set(id, this.originOf(restoredFrom));
        else if (!this.#isKept(id)) return;
        this.emails.set(id, {
          id,
          threadId: action.threadId === '' ? threadId(ordinal(at)) : action.threadId,
          mailboxIds,
          keywords,
        });
        return;
      }
      case 'messageKeywordsChanged': {
        const email = this.emails.get(action.emailId);
        if (email) this.emails.set(email.id, { ...email, keywords: action.keywords });
        return;
      }
      case 'messageMailboxesChanged':
      case 'messageRefiled': {
        const email = this.emails.get(action.emailId);
        // One that is refiled where it is has no mailboxes in the action.
        if (email && action.mailboxIds.length > 0)
          this.emails.set(email.id, { ...email, mailboxIds: action.mailboxIds });
        return;
      }
      case 'messageDestroyed':
        this.emails.delete(action.emailId);
        return;
      case 'userCreated':
      case 'credentialsSet':
      case 'addressAssigned':
      case 'addressMoved':
      case 'addressReleased':
      case 'addressesChanged':
      case 'privacySet':
      case 'correspondentsAdded':
      case 'senderFiled':
      case 'filingRulesSet':
      case 'inboxSeen':
      case 'friendAdded':
      case 'friendRemoved':
      case 'moved':
        return;
      default:
        action satisfies never;
    }
  }
}
