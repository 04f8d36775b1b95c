// What can be said in a user's or an address's log. entry.proto is how it is written; its numbers stay for years.
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';

/** How a message reached us. */
export type Channel = 'email' | 'sms' | 'chat' | 'web';

export type Envelope = { mailFrom: string; rcptTo: string[] };

/** Where the bytes of a message lie: beside the entry itself, or in the blob store. */
export type BodyRef = { kind: 'inline'; index: number } | { kind: 'blob'; sha256: string };

/** Whose beginning it is in which cell; '' in logs of earlier versions. A copy of it elsewhere is not served there. */
type Begun = { cell: string };

type UserCreated = Begun & {
  type: 'userCreated';
  userId: string;
  addresses: string[];
  displayName: string;
};

type CredentialsSet = {
  type: 'credentialsSet';
  salt: Uint8Array;
  hash: Uint8Array;
  n: number;
  r: number;
  p: number;
};

export type MailboxCreated = {
  type: 'mailboxCreated';
  name: string;
  /** '' for a mailbox at the top. */
  parentId: string;
  /** '' for a mailbox without a role. */
  role: string;
  sortOrder: number;
  isSubscribed: boolean;
  /** For one that a restore made again: its id before. */
  restoredFrom?: string | undefined;
};

/** What is undefined stays as it is. */
export type MailboxUpdated = {
  type: 'mailboxUpdated';
  mailboxId: string;
  name?: string | undefined;
  parentId?: string | undefined;
  role?: string | undefined;
  sortOrder?: number | undefined;
  isSubscribed?: boolean | undefined;
};

/** Its emails were moved or destroyed by actions before this one. */
export type MailboxDestroyed = { type: 'mailboxDestroyed'; mailboxId: string };

export type MessageAdded = {
  type: 'messageAdded';
  mailboxIds: string[];
  keywords: string[];
  receivedAtMs: number;
  sizeBytes: number;
  /** '' for a message that was not delivered but made here. */
  deliveryKey: string;
  envelope: Envelope;
  channel: Channel;
  message: ParsedMessage;
  body: BodyRef;
  /** The thread that it joins; '' when it starts one. Decided when it was written, so that replays need no such rules. */
  threadId: string;
  /** What is known of who sent it; undefined when nobody looked. */
  authentication?: Authentication | undefined;
  /** It came without being announced. */
  isMuted?: boolean | undefined;
  /** The user index was away: who sent it is asked again later, and a messageRefiled says what came of it. */
  isUnsure?: boolean | undefined;
  /** For one that a restore added again: its id before. */
  restoredFrom?: string | undefined;
  /** What the request that brought it is called in the logs of all processes; undefined in logs of earlier versions. */
  requestId?: string | undefined;
};

export type MessageKeywordsChanged = { type: 'messageKeywordsChanged'; emailId: string; keywords: string[] };
export type MessageMailboxesChanged = {
  type: 'messageMailboxesChanged';
  emailId: string;
  mailboxIds: string[];
};
/** Who sent a message that was filed unsure is known now: it is moved, or stays where it is, and no mailboxes are named. */
export type MessageRefiled = { type: 'messageRefiled'; emailId: string; mailboxIds: string[] };
/** Names the thread, so that changes of threads can be told from the log alone. */
export type MessageDestroyed = { type: 'messageDestroyed'; emailId: string; threadId: string };

/** Replaces what was set before. */
type PrivacySet = PrivacySettings & { type: 'privacySet' };

/** Addresses and domains are in lower case: see normalizeAddress. */
export type PrivacySettings = {
  /** Whose mail is taken. */
  reach: 'everyone' | 'friendsOfFriends' | 'friends';
  /** Nothing is taken from these. */
  blockedAddresses: string[];
  blockedDomains: string[];
  /** What arrives from these, or in these threads, is not announced. */
  mutedSenders: string[];
  mutedThreads: string[];
};

/**
 * What this user's log says of another user. Two are friends when neither's log says otherwise, and both say so or an edge
 * list did: docs/user-index.md.
 */
export type FriendAdded = { type: 'friendAdded'; userId: string };
export type FriendRemoved = { type: 'friendRemoved'; userId: string };

/** The user wrote to these addresses, which are in the form of normalizeAddress. */
export type CorrespondentsAdded = { type: 'correspondentsAdded'; addresses: string[] };

/** Where mail is put without a rule of the user's own. */
export type Folder = 'inbox' | 'other' | 'junk';

/** Where a sender's mail goes by the word of the user; '': nowhere in particular any more. */
export type SenderFiled = {
  type: 'senderFiled';
  address: string;
  folder: Folder | '';
  /** The email by whose move the user said so; '' when it was set. */
  emailId: string;
};

/** Holds when all of its conditions do; those that are '' say nothing. */
export type FilingRule = {
  name: string;
  /** A whole address, or `@domain`. */
  from: string;
  to: string;
  /** A part of it. */
  subject: string;
  /** The whole identifier, without angle brackets (RFC 2919). */
  listId: string;
  /** '': others say where it goes. */
  mailboxId: string;
  keywords: string[];
  /** No rule after this one is looked at. */
  stop: boolean;
};

/** Replaces the rules set before. */
type FilingRulesSet = { type: 'filingRulesSet'; rules: FilingRule[] };

/** The user has looked at the inbox: what is in it is not new any more. */
type InboxSeen = { type: 'inboxSeen' };

/** In the log of an address. */
type AddressAssigned = Begun & { type: 'addressAssigned'; userId: string };

/** In the log of an address: it is another's now. */
type AddressMoved = { type: 'addressMoved'; userId: string; from: string };

/** In the log of an address: it was this user's, and is nobody's now. */
type AddressReleased = { type: 'addressReleased'; userId: string };

/** In the log of a user: all of the user's addresses from now on; the first is the login. */
type AddressesChanged = { type: 'addressesChanged'; addresses: string[] };

/** The log goes on in another cell; nobody of this one adds to it. */
type Moved = { type: 'moved'; toCell: string };

export type Action =
  | UserCreated
  | CredentialsSet
  | MailboxCreated
  | MailboxUpdated
  | MailboxDestroyed
  | MessageAdded
  | MessageKeywordsChanged
  | MessageMailboxesChanged
  | MessageDestroyed
  | MessageRefiled
  | CorrespondentsAdded
  | SenderFiled
  | FilingRulesSet
  | FriendAdded
  | FriendRemoved
  | PrivacySet
  | InboxSeen
  | AddressAssigned
  | AddressMoved
  | AddressReleased
  | AddressesChanged
  | Moved;
