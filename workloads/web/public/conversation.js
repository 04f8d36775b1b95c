// The messages of a conversation, read whole.
import { SUMMARY } from './queries.js';

/** @import { EmailDetails } from './types.d.ts' */
/** @import { JmapClient } from './jmap.js' */

/** Messages of one conversation that are shown: the newest. */
const MAX_CONVERSATION = 50;
/** Enough text for a message. */
const MAX_BODY_BYTES = 1_000_000;
const DETAILS = [...SUMMARY, 'cc', 'replyTo', 'htmlBody', 'attachments', 'bodyValues'];
const PART = ['partId', 'blobId', 'size', 'name', 'type', 'cid', 'disposition'];

/**
 * @param {JmapClient} client
 * @param {string} id of the message that was opened
 * @param {string | undefined} threadId
 * @param {EmailDetails[]} before what is known of the conversation: a message's body never changes, so only keywords and
 *   mailboxes of these are read again
 * @returns {Promise<EmailDetails[]>} oldest first; without the message when it is gone
 */
export async function loadConversation(client, id, threadId, before) {
  const ids = threadId === undefined ? [id] : await idsOf(client, threadId, id);
  const known = new Map(before.map((email) => [email.id, email]));
  const missing = ids.filter((one) => !known.has(one));
  const [found, whole] = await client.call(
    ['Email/get', { ids: ids.filter((one) => known.has(one)), properties: ['id', 'keywords', 'mailboxIds'] }],
    [
      'Email/get',
      {
        ids: missing,
        properties: DETAILS,
        bodyProperties: PART,
        fetchHTMLBodyValues: true,
        maxBodyValueBytes: MAX_BODY_BYTES,
      },
    ],
  );
  /** @type {Map<string, EmailDetails>} */
  const now = new Map(whole.list.map((/** @type {EmailDetails} */ email) => [email.id, email]));
  for (const change of found.list) {
    const email = known.get(change.id);
    if (email) now.set(change.id, { ...email, ...change });
  }
  return ids.flatMap((one) => now.get(one) ?? []);
}

/**
 * @param {JmapClient} client
 * @param {string} threadId
 * @param {string} id
 * @returns {Promise<string[]>}
 */
async function idsOf(client, threadId, id) {
  const [threads] = await client.call(['Thread/get', { ids: [threadId] }]);
  /** @type {string[]} */
  const ids = threads.list[0]?.emailIds.slice(-MAX_CONVERSATION) ?? [];
  return ids.includes(id) ? ids : [id];
}
