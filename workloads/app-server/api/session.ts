// The session object (RFC 8620 section 2).
import { createHash } from 'node:crypto';
import { MAX_SENDERS } from '../image/filing.ts';
import { asUser, type Image } from '../image/model.ts';
import { MAX_RULES } from '../logic/filing-rules.ts';
import { MAX_PRIVACY_ITEMS } from '../logic/privacy.ts';
import { MAX_FRIENDS } from '../logic/friends.ts';
import { MAX_MAILBOX_DEPTH, MAX_MAILBOX_NAME_BYTES } from '../logic/mailbox-updates.ts';
import {
  COLLATIONS,
  CORE,
  COUNTS,
  DELIVERY,
  FILING,
  FRIENDS,
  MAIL,
  MAX_CALLS_IN_REQUEST,
  MAX_CONCURRENT_REQUESTS,
  MAX_CONCURRENT_UPLOADS,
  MAX_OBJECTS_IN_GET,
  MAX_OBJECTS_IN_SET,
  MAX_REQUEST_BYTES,
  MAX_UPLOAD_BYTES,
  PRIVACY,
} from './limits.ts';
import { EMAIL_SORT_PROPERTIES } from './email-sort.ts';
import type { Principal } from './principal.ts';

/** Names what a session object says; when it changes, clients fetch the object again. */
export function sessionState(image: Image): string {
  const profile = asUser(image)?.user;
  return createHash('sha256')
    .update(JSON.stringify(profile ?? null))
    .digest('hex')
    .slice(0, 16);
}

/**
 * @param base what the URLs start with: the app server's own base, or that of the door in front of it
 * @returns undefined when there is no such user
 */
export function sessionObject(
  image: Image,
  principal: Principal,
  base: string,
): Record<string, unknown> | undefined {
  const user = asUser(image);
  if (!user) return undefined;
  const { userId, addresses, displayName } = user.user;
  const mail = {
    maxMailboxesPerEmail: null,
    maxMailboxDepth: MAX_MAILBOX_DEPTH,
    maxSizeMailboxName: MAX_MAILBOX_NAME_BYTES,
    maxSizeAttachmentsPerEmail: 0,
    emailQuerySortOptions: [...EMAIL_SORT_PROPERTIES],
    mayCreateTopLevelMailbox: true,
  };
  const service = principal.kind === 'service';
  return {
    capabilities: {
      [CORE]: {
        maxSizeUpload: MAX_UPLOAD_BYTES,
        maxConcurrentUpload: MAX_CONCURRENT_UPLOADS,
        maxSizeRequest: MAX_REQUEST_BYTES,
        maxConcurrentRequests: MAX_CONCURRENT_REQUESTS,
        maxCallsInRequest: MAX_CALLS_IN_REQUEST,
        maxObjectsInGet: MAX_OBJECTS_IN_GET,
        maxObjectsInSet: MAX_OBJECTS_IN_SET,
        collationAlgorithms: [...COLLATIONS],
      },
      [MAIL]: {},
      [FRIENDS]: {},
      [PRIVACY]: {},
      [FILING]: {},
      [COUNTS]: {},
      ...(service ? { [DELIVERY]: {} } : {}),
    },
    accounts: {
      [userId]: {
        name: addresses[0] ?? displayName,
        isPersonal: true,
        isReadOnly: false,
        accountCapabilities: {
          [CORE]: {},
          [MAIL]: mail,
          [FRIENDS]: { maxFriends: MAX_FRIENDS },
          [PRIVACY]: { maxItems: MAX_PRIVACY_ITEMS },
          [FILING]: { maxRules: MAX_RULES, maxSenders: MAX_SENDERS },
          [COUNTS]: {},
          ...(service ? { [DELIVERY]: {} } : {}),
        },
      },
    },
    primaryAccounts: {
      [CORE]: userId,
      [MAIL]: userId,
      [FRIENDS]: userId,
      [PRIVACY]: userId,
      [FILING]: userId,
      [COUNTS]: userId,
    },
    username: addresses[0] ?? userId,
    apiUrl: `${base}/api`,
    downloadUrl: `${base}/download/{accountId}/{blobId}/{name}?type={type}`,
    uploadUrl: `${base}/upload/{accountId}`,
    eventSourceUrl: `${base}/eventsource?types={types}&closeafter={closeafter}&ping={ping}`,
    state: sessionState(image),
  };
}
