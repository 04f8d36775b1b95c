// Where a message goes when it arrives.
import { mailboxId, ordinal } from '../image/ids.ts';
import type { MailboxRecord } from '../image/model.ts';
import type { Degree } from '../relations.ts';
import { DEFAULT_MAILBOXES, userOf, type Tx } from './users.ts';

export type Folder = 'inbox' | 'junk' | 'other';

/** What is known when a message arrives. */
export type FolderFacts = {
  /** Authentication or the platform's policy says so. */
  junk: boolean;
  /** How far the sender and the user are apart; undefined on a platform that knows of no friends. */
  degree: Degree | undefined;
  /** What the user has set would keep a stranger out, and whether this is one isn't known. */
  isUnsure: boolean;
};

/** The one place that decides it; what it decides stands in the log, so that replays need no such rules. */
export function chooseFolder({ junk, degree, isUnsure }: FolderFacts): Folder {
  if (junk) return 'junk';
  if (isUnsure) return 'other';
  return degree === 'none' || degree === 'unknown' ? 'other' : 'inbox';
}

/** The id of the user's folder of that kind, which is made when it is not there (any more). */
export function folderOf(tx: Tx, folder: Folder): string {
  const [name, role] = NAMES[folder];
  const mailboxes = [...userOf(tx).mailboxes.values()];
  const found =
    mailboxes.find((mailbox) => (role === '' ? isNamed(mailbox, name) : mailbox.role === role)) ??
    // Of a user who has no inbox (any more) any mailbox serves: nothing makes mail arrive where nobody looks.
    (folder === 'inbox' ? mailboxes[0] : undefined);
  if (found) return mailboxId(found.id);
  // A folder of that name without the role is the user's own: it becomes what the name says.
  const named = mailboxes.find((mailbox) => isNamed(mailbox, name));
  if (named) {
    tx.add({ type: 'mailboxUpdated', mailboxId: mailboxId(named.id), role });
    return mailboxId(named.id);
  }
  const at = tx.add({
    type: 'mailboxCreated',
    name,
    role,
    parentId: '',
    sortOrder: DEFAULT_MAILBOXES.find((mailbox) => mailbox.name === name)?.sortOrder ?? 0,
    isSubscribed: true,
  });
  return mailboxId(ordinal(at));
}

/** By the names of DEFAULT_MAILBOXES; "Other" has no role that RFC 8621 knows, so its name tells it. */
const NAMES = { inbox: ['Inbox', 'inbox'], junk: ['Junk', 'junk'], other: ['Other', ''] } as const;

function isNamed(mailbox: MailboxRecord, name: string): boolean {
  return mailbox.parentId === undefined && mailbox.name.toLowerCase() === name.toLowerCase();
}
