// The user's own word on where a message goes: rules in their order, then what was said of the sender. It goes before what
// the user index says, and after Junk.
import { normalizeAddress } from '../../common/keys.ts';
import type { OpenUser } from '../image/model.ts';
import type { FilingRule, Folder } from '../log/actions.ts';
import { findMailbox } from './mailbox-updates.ts';
import { fromOf, provenSender, type SenderEvidence } from './sender.ts';

/** Rules of one user: each is looked at for each message. */
export const MAX_RULES = 100;
/** Keywords of one rule. */
export const MAX_RULE_KEYWORDS = 10;

export type OwnWord = {
  /** Where a rule puts it. */
  mailboxId?: string;
  /** Where mail of its sender goes. */
  folder?: Folder;
  keywords: string[];
};

/** What the user's rules and words on senders say of a message. */
export function ownWord(image: OpenUser, evidence: SenderEvidence): OwnWord {
  const { rules, senders } = image.filing;
  const word: OwnWord = { keywords: [] };
  for (const rule of rules) {
    if (!matches(rule, evidence)) continue;
    word.keywords.push(...rule.keywords.filter((keyword) => !word.keywords.includes(keyword)));
    // Of a mailbox that is gone by now a rule says nothing.
    if (word.mailboxId === undefined && findMailbox(image, rule.mailboxId)) word.mailboxId = rule.mailboxId;
    if (rule.stop) break;
  }
  if (word.mailboxId !== undefined || senders.size === 0) return word;
  const proven = normalizeAddress(provenSender(evidence) ?? '');
  const folder = proven === undefined ? undefined : senders.get(proven);
  if (folder !== undefined) return { ...word, folder };
  // To be put into Junk nobody has to prove anything.
  const isJunk = normalized(fromOf(evidence.message)).some((address) => senders.get(address) === 'junk');
  return isJunk ? { ...word, folder: 'junk' } : word;
}

function matches(rule: FilingRule, evidence: SenderEvidence): boolean {
  const { message, envelope, authentication } = evidence;
  const { headers } = message;
  // Of a name that its owner disowns nobody made a rule.
  const from = authentication?.dmarc === 'fail' ? [] : fromOf(message);
  const to = [...(headers.to ?? []), ...(headers.cc ?? [])].map(({ email }) => email);
  const conditions = [
    rule.from === '' || names(rule.from, from),
    rule.to === '' || names(rule.to, [...to, ...envelope.rcptTo]),
    rule.subject === '' || (headers.subject ?? '').toLowerCase().includes(rule.subject.toLowerCase()),
    rule.listId === '' || headers.listId === rule.listId,
  ];
  return conditions.every(Boolean);
}

/** @param wanted an address or `@domain`, normalized */
function names(wanted: string, addresses: readonly string[]): boolean {
  return normalized(addresses).some((address) =>
    wanted.startsWith('@') ? address.endsWith(wanted) : address === wanted,
  );
}

function normalized(addresses: readonly string[]): string[] {
  return addresses.flatMap((address) => normalizeAddress(address) ?? []);
}
