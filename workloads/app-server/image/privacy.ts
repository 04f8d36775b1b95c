// What a user has set about who may reach them.
import type { PrivacySettings } from '../log/actions.ts';

/** Of a user who has set nothing. */
export const NO_PRIVACY: PrivacySettings = {
  reach: 'everyone',
  blockedAddresses: [],
  blockedDomains: [],
  mutedSenders: [],
  mutedThreads: [],
};

export type WirePrivacy = {
  reach?: number;
  blockedAddresses?: string[];
  blockedDomains?: string[];
  mutedSenders?: string[];
  mutedThreads?: string[];
};

/** By their numbers in entry.proto and snapshot.proto. */
const REACHES = ['everyone', 'friendsOfFriends', 'friends'] as const;

export function encodePrivacy(settings: PrivacySettings): WirePrivacy {
  return { ...settings, reach: REACHES.indexOf(settings.reach) };
}

/** @returns undefined for a reach that this version does not know */
export function decodePrivacy(wire: WirePrivacy): PrivacySettings | undefined {
  const { blockedAddresses = [], blockedDomains = [], mutedSenders = [], mutedThreads = [] } = wire;
  const reach = REACHES[wire.reach ?? 0];
  return reach && { reach, blockedAddresses, blockedDomains, mutedSenders, mutedThreads };
}
