// Who may reach a user, as the user has set it: applied to each message as it arrives.
import type { PrivacySettings } from '../log/actions.ts';
import type { Degree } from '../relations.ts';

/** Items of each list of the settings: they are in memory with every user who has been seen lately. */
export const MAX_PRIVACY_ITEMS = 500;

/** What is known of a sender when a message arrives. */
export type SenderFacts = {
  /** '' for the null reverse-path: what mail systems say themselves. */
  mailFrom: string;
  /** Addresses of the From header. */
  from: readonly string[];
  degree: Degree;
  /** The user wrote to the sender, who may answer. */
  isCorrespondent?: boolean;
};

/** 'unsure': the settings would keep a stranger out, and whether this is one isn't known. */
export type Reach = 'yes' | 'unsure' | 'no';

/** Refused for whatever reason, a sender is told the same: nothing about friends, or about a block. */
export function reachOf(settings: PrivacySettings, facts: SenderFacts): Reach {
  if (isBlocked(settings, facts)) return 'no';
  const { degree, mailFrom, isCorrespondent } = facts;
  if (isCorrespondent || settings.reach === 'everyone' || degree === 'self' || degree === 'friend')
    return 'yes';
  if (settings.reach === 'friendsOfFriends' && degree === 'friend-of-friend') return 'yes';
  // Whoever has sent something must be able to hear that it did not arrive.
  return degree === 'unknown' || mailFrom === '' ? 'unsure' : 'no';
}

/** Does its arrival stay unannounced? @param threadId '' for one that starts a thread */
export function isMuted(settings: PrivacySettings, facts: SenderFacts, threadId: string): boolean {
  if (threadId !== '' && settings.mutedThreads.includes(threadId)) return true;
  return addressesOf(facts).some((address) => settings.mutedSenders.includes(address));
}

/** In the form of normalizeAddress, as far as it is an address. */
function addressesOf({ mailFrom, from }: Omit<SenderFacts, 'degree'>): string[] {
  return [mailFrom, ...from].map((address) => address.normalize('NFC').toLowerCase());
}

/** Has the user blocked the sender? A domain stands for those below it, too. */
export function isBlocked(
  { blockedAddresses, blockedDomains }: PrivacySettings,
  facts: Omit<SenderFacts, 'degree'>,
): boolean {
  return addressesOf(facts).some((address) => {
    if (blockedAddresses.includes(address)) return true;
    const domain = address.slice(address.lastIndexOf('@') + 1);
    return blockedDomains.some((blocked) => domain === blocked || domain.endsWith(`.${blocked}`));
  });
}
