// The JMAP objects as this page asks for them (RFC 8620 section 2, RFC 8621 sections 2 and 4).

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

export type Login = { address: string; password: string };

/** `[name, arguments, call id]` */
export type Invocation = [string, Record<string, unknown>, string];

export type Toast = { id: number; text: string; undo?: () => void };

/** What the message list shows. */
export type View = { mailboxId: string } | { search: string };
