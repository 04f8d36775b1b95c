// Where a message goes when it arrives.
import { mailboxId, ordinal } from '../image/ids.ts';
import type { MailboxRecord, OpenUser } from '../image/model.ts';
import type { Folder } from '../log/actions.ts';
import type { Degree } from '../relations.ts';
import { DEFAULT_MAILBOXES, userOf, type Tx } from './users.ts';

/** What is known when a message arrives. */
export type FolderFacts = {
  /** Authentication or the platform's policy says so. */
  junk: boolean;
  /** What the user said of the sender. */
  chosen?: Folder | undefined;
  /** The user wrote to the sender. */
  isCorrespondent?: boolean;
  /** How far the sender and the user are apart; undefined on a platform that knows of no friends. */
  degree: Degree | undefined;
  /** What the user has set would keep a stranger out, and whether this is one isn't known. */
  isUnsure: boolean;
};

/** The one place that decides it; what it decides stands in the log, so that replays need no such rules. */
export function chooseFolder({ junk, chosen, isCorrespondent, degree, isUnsure }: FolderFacts): Folder {
  if (junk) return 'junk';
  if (chosen) return chosen;
  if (isCorrespondent) return 'inbox';
  if (isUnsure) return 'other';
  return degree === 'none' || degree === 'unknown' ? 'other' : 'inbox';
}

/** The id of the user's folder of that kind, which is made when it is not there (any more). */
export function folderOf(tx: Tx, folder: Folder): string {
  const [name, role] = NAMES[folder];
  const mailboxes = [...userOf(tx).mailboxes.values()];
  const found =
    mailboxes.find((mailbox) => isFolder(mailbox, folder)) ??
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

/** @returns which of the folders this mailbox is; undefined for any other */
export function folderKind(image: OpenUser, id: number): Folder | undefined {
  const mailbox = image.mailboxes.get(id);
  return mailbox && FOLDERS.find((folder) => isFolder(mailbox, folder));
}

function isFolder(mailbox: MailboxRecord, folder: Folder): boolean {
  const [name, role] = NAMES[folder];
  return role === '' ? mailbox.role === undefined && isNamed(mailbox, name) : mailbox.role === role;
}

const FOLDERS: readonly Folder[] = ['inbox', 'other', 'junk'];

/** By the names of DEFAULT_MAILBOXES; "Other" has no role that RFC 8621 knows, so its name tells it. */
const NAMES = { inbox: ['Inbox', 'inbox'], junk: ['Junk', 'junk'], other: ['Other', ''] } as const;

function isNamed(mailbox: MailboxRecord, name: string): boolean {
  return mailbox.parentId === undefined && mailbox.name.toLowerCase() === name.toLowerCase();
}
