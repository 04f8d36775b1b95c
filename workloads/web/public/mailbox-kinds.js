// What a mailbox is for: its role (RFC 8621 section 2), or that it is the one for mail from people one doesn't know, which has
// a name and no role.

/** @import { Mailbox } from './types.d.ts' */

/** In the order that people expect. */
const KINDS = ['inbox', 'other', 'drafts', 'sent', 'archive', 'junk', 'trash'];

/** @param {Mailbox} mailbox @returns {string | undefined} */
export function kindOf({ role, name, parentId }) {
  if (role) return role;
  return parentId === null && name.toLowerCase() === 'other' ? 'other' : undefined;
}

/** Known kinds first. @param {Mailbox[]} mailboxes */
export function sortMailboxes(mailboxes) {
  const place = (/** @type {Mailbox} */ mailbox) => {
    const index = KINDS.indexOf(kindOf(mailbox) ?? '');
    return index < 0 ? KINDS.length : index;
  };
  return mailboxes.sort(
    (a, b) => place(a) - place(b) || a.sortOrder - b.sortOrder || a.name.localeCompare(b.name),
  );
}
