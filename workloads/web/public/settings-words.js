// Settings in sentences: rules, and why the server did not take a change.
import { NotSaved } from './settings-store.js';

/** @import { FilingRule, Folder, Mailbox } from './types.d.ts' */

/** Where mail of a sender can go, as people call it. @type {Record<Folder, string>} */
export const FOLDERS = { inbox: 'Inbox', other: 'Other', junk: 'Junk' };

const AND = new Intl.ListFormat('en', { type: 'conjunction' });

const NO_PARTY =
  'The server does not take this: it is no email address and no phone number with its country code, or the list is full.';

/** By the property that the server does not take. @type {Record<string, string>} */
const NOT_TAKEN = {
  reach: 'The server does not know this choice.',
  blockedAddresses: `${NO_PARTY} To block a domain, put an @ before it.`,
  blockedDomains: 'The server does not take this: it is no domain, or the list is full.',
  mutedSenders: NO_PARTY,
  mutedThreads: 'The server does not know this conversation, or the list is full.',
  rules:
    'The server does not take this rule. It needs at least one condition, From and To are an address or a domain such as @example.org, and its mailbox must be there; or there are too many rules already.',
  senders: NO_PARTY,
};

/** @type {Record<string, string>} */
const REFUSED = {
  stateMismatch: 'The settings are being changed elsewhere, too. Try again.',
  serverUnavailable: 'The server is busy. Try again in a moment.',
  tooLarge: 'That is too much for the server.',
  requestTooLarge: 'That is too much for the server.',
  forbidden: 'You may not change this.',
};

/** @param {unknown} error */
export function problemInWords(error) {
  if (error instanceof NotSaved) {
    const { type, properties = [], description } = error.problem;
    // A sender is named by its path: senders/ADDRESS.
    const [property = ''] = properties[0]?.split('/') ?? [];
    return NOT_TAKEN[property] ?? REFUSED[type] ?? description ?? `The server refuses this (${type}).`;
  }
  const text = error instanceof Error ? error.message : String(error);
  // The type of a method's error is one word; what we say ourselves is a sentence.
  return REFUSED[text] ?? (/^\w+$/.test(text) ? `The server refuses this (${text}).` : text);
}

/**
 * @param {FilingRule} rule
 * @param {Mailbox[]} mailboxes
 */
export function ruleInWords(rule, mailboxes) {
  const conditions = [
    rule.listId && `of the mailing list ${rule.listId}`,
    rule.from && `from ${partyInWords(rule.from)}`,
    rule.to && `to ${partyInWords(rule.to)}`,
    rule.subject && `with “${rule.subject}” in the subject`,
  ].filter(Boolean);
  const actions = rule.keywords.map(markInWords);
  if (rule.mailboxId) actions.unshift(moveInWords(rule.mailboxId, mailboxes));
  const what = actions.length > 0 ? AND.format(actions) : 'goes where it would go anyway';
  return `Mail ${conditions.join(' ')} ${what}.${rule.stop ? ' No later rule is looked at.' : ''}`;
}

/** @param {string} party an address, or `@domain` */
function partyInWords(party) {
  return party.startsWith('@') ? `anybody at ${party.slice(1)}` : party;
}

/** @param {string} id @param {Mailbox[]} mailboxes */
function moveInWords(id, mailboxes) {
  const mailbox = mailboxes.find((one) => one.id === id);
  return mailbox ? `goes to ${mailbox.name}` : 'would go to a mailbox that is gone';
}

/** @param {string} keyword */
function markInWords(keyword) {
  if (keyword === '$flagged') return 'gets a star';
  return keyword === '$seen' ? 'is marked as read' : `gets the keyword ${keyword}`;
}
