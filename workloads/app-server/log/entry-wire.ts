// The objects that protobufjs makes of entry.proto's messages: a field at its default value is missing.
import type { WireRule, WireSenderFolder } from '../image/filing-wire.ts';
import type { WirePrivacy } from '../image/privacy.ts';
import type { WireAuthentication } from '../../common/mail-auth/authentication.ts';
import type { WireMessage } from '../../common/mime/message-wire.ts';

type Opt<T> = T | null | undefined;

export type WireAction = {
  userCreated?: { userId?: string; addresses?: string[]; displayName?: string; cell?: string };
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
  messageRefiled?: { emailId?: string; mailboxIds?: string[] };
  correspondentsAdded?: { addresses?: string[] };
  senderFiled?: WireSenderFolder & { emailId?: string };
  filingRulesSet?: { rules?: WireRule[] };
  addressAssigned?: { userId?: string; cell?: string };
  addressReleased?: { userId?: string };
  addressMoved?: { userId?: string; from?: string };
  addressesChanged?: { addresses?: string[] };
  moved?: { toCell?: string };
  privacySet?: WirePrivacy;
  inboxSeen?: object;
  friendAdded?: { userId?: string };
  friendRemoved?: { userId?: string };
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
  authentication?: Opt<WireAuthentication>;
  isMuted?: boolean;
  requestId?: string;
  isUnsure?: boolean;
};
