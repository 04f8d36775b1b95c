// Changes of messages: keywords, mailboxes, the end (RFC 8621 section 4.6). A patch is checked whole before anything is added.
import { mailboxId, emailId, parseEmailId, parseMailboxId, threadId } from '../image/ids.ts';
import { emailOf, unknownKeywords } from '../image/email-record.ts';
import type { EmailRecord, UserImage } from '../image/model.ts';
import { invalidProperties, NOT_FOUND, type SetError } from './set-error.ts';
import { userOf, type Tx } from './users.ts';

/** Keywords of one email: each is kept and sent with it. */
const MAX_KEYWORDS = 128;
/** Different keywords of one user: each is kept in memory. */
const MAX_USER_KEYWORDS = 4_096;
/** RFC 8621 section 4.1.1: ASCII without what IMAP's atoms may not hold. */
const KEYWORD = /^[\u0021\u0023\u0024\u0026\u0027\u002b-\u005b\u005e-\u007a\u007c\u007d\u007e]{1,255}$/;

/** The sets that a patch may name as a whole or by member, not both (RFC 8620 section 5.3). */
const PATCHED = ['keywords', 'mailboxIds'];

/** A JSON object of a client; its values are not to be trusted. */
export type PatchObject = Record<string, unknown>;

/** @throws PageMissing */
export function findEmail(image: UserImage, id: string): EmailRecord | undefined {
  const at = parseEmailId(id);
  return at === undefined ? undefined : emailOf(image, at);
}

/** @returns undefined when the email was changed, or the patch changes nothing */
export function updateEmail(tx: Tx, id: string, patch: PatchObject): SetError | undefined {
  const image = userOf(tx);
  const email = findEmail(image, id);
  if (!email) return NOT_FOUND;
  const ambiguous = PATCHED.filter(
    (name) => Object.hasOwn(patch, name) && Object.keys(patch).some((path) => path.startsWith(`${name}/`)),
  );
  if (ambiguous.length > 0)
    return { type: 'invalidPatch', description: `${ambiguous.join(', ')}: set as a whole and in part.` };
  const keywords = patchSet(email.keywords, patch, 'keywords', toKeyword);
  const mailboxIds = patchSet(email.mailboxIds.map(mailboxId), patch, 'mailboxIds', (name) =>
    toMailboxId(image, name),
  );
  const unknown = Object.keys(patch).filter((name) => !/^(?:keywords|mailboxIds)(?:\/|$)/.test(name));
  const bad = [...unknown, ...keywords.bad, ...mailboxIds.bad];
  if (bad.length > 0)
    return invalidProperties(bad, 'Only keywords and mailboxIds can be changed, to values of their kind.');
  if (keywords.items.length > MAX_KEYWORDS)
    return { type: 'tooManyKeywords', description: `An email has at most ${MAX_KEYWORDS} keywords.` };
  if (image.keywords.length + unknownKeywords(image, keywords.items).length > MAX_USER_KEYWORDS)
    return {
      type: 'tooManyKeywords',
      description: `All emails together use at most ${MAX_USER_KEYWORDS} different keywords, ever.`,
    };
  if (mailboxIds.items.length === 0)
    return invalidProperties(['mailboxIds'], 'An email is in at least one mailbox.');
  if (keywords.changed) tx.add({ type: 'messageKeywordsChanged', emailId: id, keywords: keywords.items });
  if (mailboxIds.changed)
    tx.add({ type: 'messageMailboxesChanged', emailId: id, mailboxIds: mailboxIds.items });
  return undefined;
}

/** @returns undefined when the email was destroyed */
export function destroyEmail(tx: Tx, id: string): SetError | undefined {
  const email = findEmail(userOf(tx), id);
  if (!email) return NOT_FOUND;
  tx.add({ type: 'messageDestroyed', emailId: emailId(email.id), threadId: threadId(email.threadId) });
  return undefined;
}

type PatchedSet = { items: string[]; bad: string[]; changed: boolean };

/** Applies `name: {item: true}` (the whole set) or `name/item: true | null` (one of it) to a set. */
function patchSet(
  before: readonly string[],
  patch: PatchObject,
  name: string,
  toItem: (text: string) => string | undefined,
): PatchedSet {
  const bad: string[] = [];
  let items = new Set(before);
  if (Object.hasOwn(patch, name)) {
    items = new Set();
    const value = patch[name];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) bad.push(name);
    else
      for (const [key, wanted] of Object.entries(value)) {
        const item = toItem(key);
        if (item === undefined || wanted !== true) bad.push(`${name}/${key}`);
        else items.add(item);
      }
  }
  for (const [path, wanted] of Object.entries(patch)) {
    if (!path.startsWith(`${name}/`)) continue;
    const token = path.slice(name.length + 1);
    const item = token.includes('/') ? undefined : toItem(unescape(token));
    if (item === undefined || (wanted !== true && wanted !== null)) bad.push(path);
    else if (wanted) items.add(item);
    else items.delete(item);
  }
  const changed = items.size !== before.length || before.some((item) => !items.has(item));
  return { items: [...items], bad, changed };
}

/** RFC 6901 section 4. */
function unescape(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

export function isKeyword(text: string): boolean {
  return KEYWORD.test(text);
}

function toKeyword(text: string): string | undefined {
  return isKeyword(text) ? text.toLowerCase() : undefined;
}

function toMailboxId(image: UserImage, text: string): string | undefined {
  const at = parseMailboxId(text);
  return at !== undefined && image.mailboxes.has(at) ? text : undefined;
}
