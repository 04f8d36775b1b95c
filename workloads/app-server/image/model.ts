// What an app server keeps of a key in memory: the fold of its log. Nothing here is ever changed: an action makes the next
// image, which shares with the one before whatever stayed the same.
import type { PrivacySettings } from '../log/actions.ts';
import type { Filing } from './filing.ts';
import type { Ordinal } from './ids.ts';
import type { BufferedTree } from './pages/buffered-tree.ts';
import type { Tree } from './pages/tree.ts';

/** A message without its text: what listing, counting and sorting by date need. The rest is read from the log when asked. */
export type EmailRecord = {
  readonly id: Ordinal;
  readonly receivedAtMs: number;
  readonly sizeBytes: number;
  readonly hasAttachment: boolean;
  readonly threadId: Ordinal;
  /** Not empty; ascending. */
  readonly mailboxIds: readonly Ordinal[];
  /** Lower case. */
  readonly keywords: readonly string[];
};

export type MailboxCounts = {
  readonly totalEmails: number;
  readonly unreadEmails: number;
  readonly totalThreads: number;
  readonly unreadThreads: number;
};

export type MailboxRecord = MailboxCounts & {
  readonly id: Ordinal;
  readonly name: string;
  readonly parentId: Ordinal | undefined;
  /** In lower case (RFC 8621 section 2); undefined for an ordinary folder. */
  readonly role: string | undefined;
  readonly sortOrder: number;
  readonly isSubscribed: boolean;
  /** The last action that changed anything of it, and the last that changed more than counts. */
  readonly changedAt: Ordinal;
  readonly propertiesChangedAt: Ordinal;
};

type MailboxTombstone = { readonly id: Ordinal; readonly destroyedAt: Ordinal };

export type ScryptHash = {
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
  readonly n: number;
  readonly r: number;
  readonly p: number;
};

export type UserProfile = {
  readonly userId: string;
  readonly addresses: readonly string[];
  readonly displayName: string;
};

type Placed = {
  /** The cell where the log began or that it was moved to last: no other serves it. Undefined in logs of earlier versions. */
  readonly home: string | undefined;
};

export type UserImage = Placed & {
  readonly kind: 'user';
  /** Undefined while the log has no such user. */
  readonly user: UserProfile | undefined;
  readonly credentials: ScryptHash | undefined;
  readonly mailboxes: ReadonlyMap<Ordinal, MailboxRecord>;
  /** Keywords beyond those that every mailbox knows, in the order of their first use. */
  readonly keywords: readonly string[];
  // Trees: record-keys.ts says what is in each.
  readonly emails: Tree;
  readonly lists: Tree;
  readonly threads: Tree;
  readonly labels: Tree;
  readonly threadKeys: BufferedTree;
  /** The large tree of thread keys is looked through for threads that are gone when it has so many records. */
  readonly threadKeysSweepAt: number;
  /** The last deliveries, so that the same one coming again changes nothing; and those before them. */
  readonly deliveries: BufferedTree;
  readonly olderDeliveries: Tree;
  /** What the log says of other users: friends.ts. */
  readonly friends: Tree;
  /** How many of them are friends. */
  readonly friendCount: number;
  /** The last action that changed something of the type. */
  readonly friendsChangedAt: Ordinal;
  readonly privacy: PrivacySettings;
  readonly privacyChangedAt: Ordinal;
  readonly filing: Filing;
  /** Digests of the addresses that the user wrote to last, and before. */
  readonly correspondents: Tree;
  readonly olderCorrespondents: Tree;
  /** When the user last looked at the inbox. */
  readonly inboxSeenAt: Ordinal;
  /** Emails in the inbox that arrived since then and are unread: counts.ts. */
  readonly unseen: number;
  readonly emailsChangedAt: Ordinal;
  readonly threadsChangedAt: Ordinal;
  readonly mailboxesChangedAt: Ordinal;
  readonly lastDeliveryAt: Ordinal;
  /** Mailboxes destroyed last, oldest first; changes from before `mailboxFloor` can't be told. */
  readonly destroyedMailboxes: readonly MailboxTombstone[];
  readonly mailboxFloor: Ordinal;
};

/** The log of an address: whose it is. */
export type AddressImage = Placed & {
  readonly kind: 'address';
  readonly userId: string | undefined;
  /** Whose it was before it was moved or released last. */
  readonly formerUserId: string | undefined;
};

export type Image = UserImage | AddressImage;

/** Is the log served in this cell? */
export function isAtHome(image: Image, cell: string): boolean {
  return image.home === undefined || image.home === cell;
}

/** The image of a user who is there. */
export type OpenUser = UserImage & { readonly user: UserProfile };

/** @returns undefined when the key's log holds no user */
export function asUser(image: Image): OpenUser | undefined {
  return image.kind === 'user' && hasUser(image) ? image : undefined;
}

function hasUser(image: UserImage): image is OpenUser {
  return image.user !== undefined;
}
