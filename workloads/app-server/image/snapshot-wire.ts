// The objects that protobufjs makes of snapshot.proto's messages, and images as such: a field at its default value is missing.
import { inboxOf } from './counts.ts';
import { EMPTY_USER } from './empty.ts';
import type { MailboxRecord, UserImage } from './model.ts';
import { BadSnapshot } from '../log/user-log-types.ts';
import type { PrivacySettings } from '../log/actions.ts';
import {
  decodeFolder,
  decodeRule,
  encodeFolder,
  type WireRule,
  type WireSenderFolder,
} from './filing-wire.ts';
import { NO_FILING, type Filing } from './filing.ts';
import { decodePrivacy, encodePrivacy, NO_PRIVACY, type WirePrivacy } from './privacy.ts';
import type { Layout } from './pages/page.ts';
import type { Tree } from './pages/tree.ts';
import { shared } from './shared.ts';
import { treesOf, withTrees } from './trees.ts';

type Opt<T> = T | null | undefined;

export type WireTree = { root?: Uint8Array; height?: number; count?: number };

type WireMailbox = {
  id?: number;
  name?: string;
  parentId?: Opt<number>;
  role?: Opt<string>;
  sortOrder?: number;
  isSubscribed?: boolean;
  totalEmails?: number;
  unreadEmails?: number;
  totalThreads?: number;
  unreadThreads?: number;
  changedAt?: number;
  propertiesChangedAt?: number;
};

type WireUser = {
  profile?: Opt<{ userId?: string; addresses?: readonly string[]; displayName?: string }>;
  credentials?: Opt<{ salt?: Uint8Array; hash?: Uint8Array; n?: number; r?: number; p?: number }>;
  mailboxes?: WireMailbox[];
  keywords?: readonly string[];
  trees?: WireTree[];
  threadKeysSweepAt?: number;
  emailsChangedAt?: number;
  threadsChangedAt?: number;
  mailboxesChangedAt?: number;
  lastDeliveryAt?: number;
  destroyedMailboxes?: readonly { id?: number; destroyedAt?: number }[];
  mailboxFloor?: number;
  friendCount?: number;
  friendsChangedAt?: number;
  privacy?: Opt<WirePrivacy>;
  privacyChangedAt?: number;
  filingRules?: readonly WireRule[];
  senderFolders?: WireSenderFolder[];
  unsureEmails?: readonly number[];
  filingChangedAt?: number;
  inboxSeenAt?: number;
  unseen?: Opt<number>;
};

export type WireSnapshot = {
  address?: { userId?: Opt<string>; formerUserId?: Opt<string> };
  user?: WireUser;
  home?: Opt<string>;
  garbage?: Uint8Array[];
  pages?: Uint8Array[];
};

export function toWire(image: UserImage, trees: WireTree[]): WireUser {
  const { user, credentials, mailboxes, keywords, destroyedMailboxes } = image;
  return {
    profile: user,
    credentials,
    mailboxes: [...mailboxes.values()],
    keywords,
    trees,
    threadKeysSweepAt: image.threadKeysSweepAt,
    emailsChangedAt: image.emailsChangedAt,
    threadsChangedAt: image.threadsChangedAt,
    mailboxesChangedAt: image.mailboxesChangedAt,
    lastDeliveryAt: image.lastDeliveryAt,
    destroyedMailboxes,
    mailboxFloor: image.mailboxFloor,
    friendCount: image.friendCount,
    friendsChangedAt: image.friendsChangedAt,
    ...(image.privacyChangedAt > 0 && { privacy: encodePrivacy(image.privacy) }),
    privacyChangedAt: image.privacyChangedAt,
    ...filingToWire(image.filing),
    inboxSeenAt: image.inboxSeenAt,
    unseen: image.unseen,
  };
}

/** @param trees each makes the tree, once told how its records lie; undefined for an empty one, of which all images have the same */
export function fromWire(
  wire: WireUser,
  home: string | undefined,
  trees: readonly ((layout: Layout) => Tree | undefined)[],
): UserImage {
  const layouts = treesOf(EMPTY_USER).map(({ layout }) => layout);
  const { profile, credentials } = wire;
  const mailboxes = new Map(
    (wire.mailboxes ?? []).map((mailbox) => [mailbox.id ?? 0, mailboxRecord(mailbox)]),
  );
  return {
    kind: 'user',
    home,
    user: profile
      ? {
          userId: profile.userId ?? '',
          addresses: profile.addresses ?? [],
          displayName: profile.displayName ?? '',
        }
      : undefined,
    credentials: credentials
      ? {
          salt: Uint8Array.from(credentials.salt ?? []),
          hash: Uint8Array.from(credentials.hash ?? []),
          n: credentials.n ?? 0,
          r: credentials.r ?? 0,
          p: credentials.p ?? 0,
        }
      : undefined,
    mailboxes,
    keywords: wire.keywords ?? [],
    ...withTrees(layouts.map((layout, index) => trees[index]?.(layout) ?? emptyTree(index))),
    threadKeysSweepAt: wire.threadKeysSweepAt ?? 0,
    emailsChangedAt: wire.emailsChangedAt ?? 0,
    threadsChangedAt: wire.threadsChangedAt ?? 0,
    mailboxesChangedAt: wire.mailboxesChangedAt ?? 0,
    lastDeliveryAt: wire.lastDeliveryAt ?? 0,
    destroyedMailboxes: (wire.destroyedMailboxes ?? []).map(({ id = 0, destroyedAt = 0 }) => ({
      id,
      destroyedAt,
    })),
    mailboxFloor: wire.mailboxFloor ?? 0,
    friendCount: wire.friendCount ?? 0,
    friendsChangedAt: wire.friendsChangedAt ?? 0,
    privacy: privacyOf(wire.privacy),
    privacyChangedAt: wire.privacyChangedAt ?? 0,
    filing: filingOf(wire),
    inboxSeenAt: wire.inboxSeenAt ?? 0,
    // Before looks were noted nobody had looked: all that is unread is new.
    unseen: wire.unseen ?? inboxOf(mailboxes)?.unreadEmails ?? 0,
  };
}

/** @throws BadSnapshot: what is set must not be forgotten */
function privacyOf(wire: Opt<WirePrivacy>): PrivacySettings {
  const settings = wire ? decodePrivacy(wire) : NO_PRIVACY;
  if (!settings) throw new BadSnapshot(`settings of the unknown reach ${wire?.reach}`);
  return settings;
}

function filingToWire({ rules, senders, unsure, changedAt }: Filing): Partial<WireUser> {
  return {
    filingRules: rules as WireRule[],
    senderFolders: Array.from(senders, ([address, folder]) => ({ address, folder: encodeFolder(folder) })),
    unsureEmails: unsure,
    filingChangedAt: changedAt,
  };
}

/** @throws BadSnapshot */
function filingOf({
  filingRules = [],
  senderFolders = [],
  unsureEmails = [],
  filingChangedAt = 0,
}: WireUser): Filing {
  const items = filingRules.length + senderFolders.length + unsureEmails.length;
  if (items === 0 && filingChangedAt === 0) return NO_FILING;
  const senders = senderFolders.map(({ address = '', folder: number }) => {
    const folder = decodeFolder(number);
    if (!folder) throw new BadSnapshot(`mail of a sender in the unknown folder ${number}`);
    return [address, folder] as const;
  });
  return {
    rules: filingRules.map(decodeRule),
    senders: new Map(senders),
    unsure: unsureEmails,
    changedAt: filingChangedAt,
  };
}

function emptyTree(index: number): Tree {
  return treesOf(EMPTY_USER)[index] as Tree;
}

/** Numbers that were put together of 64 bits lie in memory by themselves, each in a box; these are known to be below 2^31. */
const small = (number = 0): number => number >>> 0;

function mailboxRecord(wire: WireMailbox): MailboxRecord {
  return {
    id: wire.id ?? 0,
    name: shared(wire.name ?? ''),
    parentId: wire.parentId ?? undefined,
    role: wire.role ? shared(wire.role) : undefined,
    sortOrder: small(wire.sortOrder),
    isSubscribed: wire.isSubscribed ?? false,
    totalEmails: small(wire.totalEmails),
    unreadEmails: small(wire.unreadEmails),
    totalThreads: small(wire.totalThreads),
    unreadThreads: small(wire.unreadThreads),
    changedAt: wire.changedAt ?? 0,
    propertiesChangedAt: wire.propertiesChangedAt ?? 0,
  };
}
