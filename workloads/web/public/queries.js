// The JMAP calls that several parts of the page make.

/** @import { View } from './types.d.ts' */

/** What a row of the list shows. */
export const SUMMARY = [
  'id',
  'threadId',
  'mailboxIds',
  'keywords',
  'from',
  'to',
  'subject',
  'receivedAt',
  'preview',
  'hasAttachment',
];

/** @typedef {[method: string, args: Record<string, unknown>]} Call */

/**
 * The newest messages of a view.
 * @param {View} view
 * @param {number} limit
 * @returns {Call}
 */
export function queryOf(view, limit) {
  const filter = 'mailboxId' in view ? { inMailbox: view.mailboxId } : { text: view.search };
  const sort = [{ property: 'receivedAt', isAscending: false }];
  return ['Email/query', { filter, sort, limit, calculateTotal: true }];
}

/**
 * What changed since a state, and the messages that did: three calls, the first ones of a request.
 * @param {string} sinceState
 * @param {number} maxChanges
 * @returns {Call[]}
 */
export function emailChanges(sinceState, maxChanges) {
  // RFC 8620 section 3.7
  const ids = (/** @type {string} */ path) => ({ resultOf: '0', name: 'Email/changes', path });
  return [
    ['Email/changes', { sinceState, maxChanges }],
    ['Email/get', { '#ids': ids('/created'), properties: SUMMARY }],
    ['Email/get', { '#ids': ids('/updated'), properties: SUMMARY }],
  ];
}
