// The JMAP objects as this page asks for them (RFC 8620 section 2, RFC 8621 sections 2 and 4; our own: docs/policy.md, docs/folders.md).

export type Session = {
  username: string;
  capabilities: Record<string, object>;
  apiUrl: string;
  primaryAccounts: Record<string, string>;
};

export type Mailbox = {
  id: string;
  name: string;
  role: string | null;
  parentId: string | null;
  sortOrder: number;
  totalEmails: number;
  unreadEmails: number;
};

export type Address = { name: string | null; email: string };

export type Email = {
  id: string;
  threadId: string;
  mailboxIds: Record<string, true>;
  keywords: Record<string, true>;
  from: Address[] | null;
  to: Address[] | null;
  subject: string | null;
  receivedAt: string;
  preview: string;
  hasAttachment: boolean;
};

export type BodyPart = {
  partId: string | null;
  blobId: string;
  size: number;
  name: string | null;
  type: string;
  cid: string | null;
  disposition: string | null;
};

export type EmailDetails = Email & {
  cc: Address[] | null;
  replyTo: Address[] | null;
  htmlBody: BodyPart[];
  attachments: BodyPart[];
  bodyValues: Record<string, { value: string; isEncodingProblem: boolean; isTruncated: boolean }>;
};

/** Whose mail is taken. */
export type Reach = 'everyone' | 'friendsOfFriends' | 'friends';

export type PrivacySettings = {
  reach: Reach;
  blockedAddresses: string[];
  blockedDomains: string[];
  mutedSenders: string[];
  mutedThreads: string[];
};

export type Folder = 'inbox' | 'other' | 'junk';

/** Conditions that are null hold always. */
export type FilingRule = {
  name: string;
  from: string | null;
  to: string | null;
  subject: string | null;
  listId: string | null;
  mailboxId: string | null;
  keywords: string[];
  stop: boolean;
};

export type FilingSettings = { rules: FilingRule[]; senders: Record<string, Folder> };

/** Why an object was not changed (RFC 8620 section 5.3). */
export type SetError = { type: string; description?: string; properties?: string[] };

export type Login = { address: string; password: string };

/** `[name, arguments, call id]` */
export type Invocation = [string, Record<string, unknown>, string];

export type Toast = { id: number; text: string; undo?: () => void };

/** What the message list shows. */
export type View = { mailboxId: string } | { search: string };
