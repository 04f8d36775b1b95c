// Images before anything happened.
import type { AddressImage, UserImage } from './model.ts';
import { NO_FILING } from './filing.ts';
import { NO_PRIVACY } from './privacy.ts';
import { BufferedTree } from './pages/buffered-tree.ts';
import { Tree } from './pages/tree.ts';
import {
  CORRESPONDENTS,
  DELIVERIES,
  EMAILS,
  FRIENDS,
  LABELS,
  LISTS,
  OLD_DELIVERIES,
  OLD_THREAD_KEYS,
  THREAD_KEYS,
  THREADS,
} from './record-keys.ts';

/** Thread keys that are kept before those of threads that are gone are looked for. */
export const MIN_SWEEP = 16_384;

export const EMPTY_ADDRESS: AddressImage = {
  kind: 'address',
  home: undefined,
  userId: undefined,
  formerUserId: undefined,
};

export const EMPTY_USER: UserImage = {
  kind: 'user',
  home: undefined,
  user: undefined,
  credentials: undefined,
  mailboxes: new Map(),
  keywords: [],
  emails: new Tree(EMAILS),
  lists: new Tree(LISTS),
  threads: new Tree(THREADS),
  labels: new Tree(LABELS),
  threadKeys: BufferedTree.empty(THREAD_KEYS, OLD_THREAD_KEYS),
  threadKeysSweepAt: MIN_SWEEP,
  deliveries: BufferedTree.empty(DELIVERIES, OLD_DELIVERIES),
  olderDeliveries: new Tree(OLD_DELIVERIES),
  friends: new Tree(FRIENDS),
  friendCount: 0,
  friendsChangedAt: 0,
  privacy: NO_PRIVACY,
  privacyChangedAt: 0,
  filing: NO_FILING,
  correspondents: new Tree(CORRESPONDENTS),
  olderCorrespondents: new Tree(CORRESPONDENTS),
  inboxSeenAt: 0,
  unseen: 0,
  emailsChangedAt: 0,
  threadsChangedAt: 0,
  mailboxesChangedAt: 0,
  lastDeliveryAt: 0,
  destroyedMailboxes: [],
  mailboxFloor: 0,
};
