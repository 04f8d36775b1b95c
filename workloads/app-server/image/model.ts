// What an app server keeps of a key in memory: the fold of its log. Only image/ changes these objects.
import type { DeliveryWindow } from './delivery-window.ts';
import type { Ordinal } from './ids.ts';

/** A message without its text: what listing, counting and sorting by date need. The rest is read from the log when asked. */
export type EmailRecord = {
  readonly id: Ordinal;
  readonly receivedAtMs: number;
  readonly sizeBytes: number;
  readonly hasAttachment: boolean;
  readonly thread: ThreadRecord;
  /** Not empty; shared between emails, so never changed in place. */
  mailboxes: readonly MailboxRecord[];
  /** Lower case, sorted; shared between emails, so never changed in place. */
  keywords: readonly string[];
};

export type ThreadRecord = {
  readonly id: Ordinal;
  /** By receivedAt, oldest first; empty only for a thread that is gone. */
  emails: EmailRecord[];
};

export type MailboxRecord = {
  readonly id: Ordinal;
  name: string;
  parent: MailboxRecord | undefined;
  /** In lower case (RFC 8621 section 2); undefined for an ordinary folder. */
  role: string | undefined;
  sortOrder: number;
  isSubscribed: boolean;
  /** By receivedAt, oldest first. */
  readonly emails: EmailRecord[];
  unreadEmails: number;
  totalThreads: number;
  unreadThreads: number;
  /** The last action that changed anything of it, and the last that changed more than counts. */
  changedAt: Ordinal;
  propertiesChangedAt: Ordinal;
};

type MailboxTombstone = { id: Ordinal; destroyedAt: Ordinal };

export type ScryptHash = {
  salt: Uint8Array;
  hash: Uint8Array;
  n: number;
  r: number;
  p: number;
};

export type UserProfile = { userId: string; addresses: string[]; displayName: string };

export type UserImage = {
  readonly kind: 'user';
  /** Undefined while the log has no such user. */
  user: UserProfile | undefined;
  credentials: ScryptHash | undefined;
  readonly mailboxes: Map<Ordinal, MailboxRecord>;
  readonly emails: Map<Ordinal, EmailRecord>;
  /** Every email by receivedAt, oldest first. */
  readonly emailsByDate: EmailRecord[];
  readonly threads: Map<Ordinal, ThreadRecord>;
  /** Which thread a message belongs to by what its headers name: see threading.ts. */
  readonly threadKeys: Map<number, Ordinal>;
  /** Threads gone since threadKeys was last swept. */
  goneThreads: number;
  /** The last deliveries, so that the same one coming again changes nothing. */
  readonly deliveries: DeliveryWindow;
  /** The last action that changed something of the type. */
  emailsChangedAt: Ordinal;
  threadsChangedAt: Ordinal;
  mailboxesChangedAt: Ordinal;
  lastDeliveryAt: Ordinal;
  /** Mailboxes destroyed last, oldest first; changes from before `mailboxFloor` can't be told. */
  readonly destroyedMailboxes: MailboxTombstone[];
  mailboxFloor: Ordinal;
  /** Lists that many emails have in common, by their content. */
  readonly sharedKeywords: Map<string, readonly string[]>;
  readonly sharedMailboxes: Map<string, readonly MailboxRecord[]>;
};

/** The log of an address: whose it is. */
type AddressImage = { readonly kind: 'address'; userId: string | undefined };

export type Image = UserImage | AddressImage;

/** @returns undefined when the key's log holds no user */
export function asUser(image: Image): (UserImage & { user: UserProfile }) | undefined {
  return image.kind === 'user' && hasUser(image) ? image : undefined;
}

function hasUser(image: UserImage): image is UserImage & { user: UserProfile } {
  return image.user !== undefined;
}
