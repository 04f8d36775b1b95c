// Users: how they come to be.
import type { Transaction } from '../log/user-log-types.ts';
import type { Action } from '../log/actions.ts';
import { asUser, type Image, type OpenUser, type ScryptHash, type UserProfile } from '../image/model.ts';

/** What every user starts with; roles are those of RFC 8621 section 2. "Other" is for senders who are no friends. */
export const DEFAULT_MAILBOXES = [
  { name: 'Inbox', role: 'inbox', sortOrder: 10 },
  { name: 'Archive', role: 'archive', sortOrder: 20 },
  { name: 'Drafts', role: 'drafts', sortOrder: 30 },
  { name: 'Sent', role: 'sent', sortOrder: 40 },
  { name: 'Junk', role: 'junk', sortOrder: 50 },
  { name: 'Trash', role: 'trash', sortOrder: 60 },
  { name: 'Other', role: '', sortOrder: 15 },
] as const;

export type Tx = Transaction<Image, Action>;

/** The user as of the actions added so far. @throws RangeError when the log holds no user */
export function userOf(tx: Tx): OpenUser {
  const user = asUser(tx.state);
  if (!user) throw new RangeError('a change of a user who is not there');
  return user;
}

/**
 * Creates the user with the default mailboxes; a user who is there already with the same addresses stays as they are.
 * @param cell where this is
 * @param credentials undefined when the user is known to be there
 * @returns 'created', 'exists', or 'conflict' when the user has other addresses
 */
export function createUser(
  tx: Tx,
  cell: string,
  profile: UserProfile,
  credentials: ScryptHash | undefined,
): 'created' | 'exists' | 'conflict' {
  const image = tx.state;
  if (image.kind !== 'user') return 'conflict';
  if (image.user) return sameList(image.user.addresses, profile.addresses) ? 'exists' : 'conflict';
  if (!credentials) return 'conflict';
  tx.add({ type: 'userCreated', ...profile, addresses: [...profile.addresses], cell });
  tx.add({ type: 'credentialsSet', ...credentials });
  for (const mailbox of DEFAULT_MAILBOXES)
    tx.add({ type: 'mailboxCreated', ...mailbox, parentId: '', isSubscribed: true });
  return 'created';
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
