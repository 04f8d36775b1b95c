// The objects that protobufjs makes of entry.proto's messages: a field at its default value is missing.

type Opt<T> = T | null | undefined;

export type WireAction = {
  userCreated?: { userId?: string; addresses?: string[]; displayName?: string };
  credentialsSet?: { salt?: Uint8Array; hash?: Uint8Array; n?: number; r?: number; p?: number };
  mailboxCreated?: {
    name?: string;
    parentId?: string;
    role?: string;
    sortOrder?: number;
    isSubscribed?: boolean;
    restoredFrom?: Opt<string>;
  };
  mailboxUpdated?: {
    mailboxId?: string;
    name?: Opt<string>;
    parentId?: Opt<string>;
    role?: Opt<string>;
    sortOrder?: Opt<number>;
    isSubscribed?: Opt<boolean>;
  };
  mailboxDestroyed?: { mailboxId?: string };
  messageAdded?: WireMessageAdded;
  messageKeywordsChanged?: { emailId?: string; keywords?: string[] };
  messageMailboxesChanged?: { emailId?: string; mailboxIds?: string[] };
  messageDestroyed?: { emailId?: string; threadId?: string };
  addressAssigned?: { userId?: string };
};

export type WireEntry = {
  format?: number;
  timeMs?: number;
  writer?: Opt<{ server?: string; session?: string; number?: number }>;
  actions?: WireAction[];
};

export type WireMessageAdded = {
  mailboxIds?: string[];
  keywords?: string[];
  receivedAtMs?: number;
  sizeBytes?: number;
  deliveryKey?: string;
  envelope?: Opt<{ mailFrom?: string; rcptTo?: string[] }>;
  channel?: number;
  message?: Opt<WireMessage>;
  inlineBody?: Opt<number>;
  blobBody?: Opt<Uint8Array>;
  threadId?: string;
  restoredFrom?: string;
};

export type WireMessage = {
  preview?: string;
  hasAttachment?: boolean;
  sizeBytes?: number;
  headerBytes?: number;
  headers?: Opt<WireHeaders>;
  structure?: Opt<WirePart>;
};

export type WireAddresses = Opt<{ items?: { name?: Opt<string>; email?: string }[] }>;
export type WireTexts = Opt<{ items?: string[] }>;

export type WireHeaders = {
  from?: WireAddresses;
  sender?: WireAddresses;
  replyTo?: WireAddresses;
  to?: WireAddresses;
  cc?: WireAddresses;
  bcc?: WireAddresses;
  subject?: Opt<string>;
  sentAt?: Opt<string>;
  messageId?: WireTexts;
  inReplyTo?: WireTexts;
  references?: WireTexts;
};

export type WirePart = {
  partId?: Opt<string>;
  headerOffset?: number;
  headerBytes?: number;
  bodyOffset?: number;
  bodyBytes?: number;
  sizeBytes?: number;
  lines?: number;
  type?: string;
  charset?: Opt<string>;
  encoding?: string;
  disposition?: Opt<string>;
  name?: Opt<string>;
  cid?: Opt<string>;
  language?: WireTexts;
  location?: Opt<string>;
  subParts?: WirePart[];
};
