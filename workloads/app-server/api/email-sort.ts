// The sorting of Email/query (RFC 8621 section 4.4.2).
import type { EmailRecord, UserImage } from '../image/model.ts';
import { threadEmails } from '../image/threads.ts';
import { MethodError } from './errors.ts';
import { assertSortable, compareKeys, type Comparator, type SortKey } from './sort.ts';

const KEYWORD_PROPERTIES = new Set(['hasKeyword', 'allInThreadHaveKeyword', 'someInThreadHaveKeyword']);
/** What only the message itself tells. */
const CONTENT_PROPERTIES = new Set(['from', 'to', 'subject', 'sentAt']);

export const EMAIL_SORT_PROPERTIES: ReadonlySet<string> = new Set([
  'receivedAt',
  'size',
  ...CONTENT_PROPERTIES,
  ...KEYWORD_PROPERTIES,
]);

/** @throws MethodError unsupportedSort, invalidArguments */
export function assertEmailSort(sort: readonly Comparator[]): void {
  assertSortable(sort, EMAIL_SORT_PROPERTIES);
  for (const { property, keyword } of sort)
    if (KEYWORD_PROPERTIES.has(property) && keyword === undefined)
      throw new MethodError('invalidArguments', `sort: ${property} needs a keyword.`);
}

export function sortNeedsContent(sort: readonly Comparator[]): boolean {
  return sort.some(({ property }) => CONTENT_PROPERTIES.has(property));
}

/** Without comparators, newest first. */
export function isByDate(sort: readonly Comparator[]): boolean {
  return sort.length === 0 || (sort.length === 1 && sort[0]?.property === 'receivedAt');
}

export function isNewestFirst(sort: readonly Comparator[]): boolean {
  return sort.length === 0 || sort[0]?.isAscending === false;
}

/** @param content the message's key for a content property, by the index of the comparator */
function sortKey(
  image: UserImage,
  email: EmailRecord,
  comparator: Comparator,
  content: SortKey | undefined,
): SortKey {
  const has = (other: EmailRecord): boolean =>
    other.keywords.includes((comparator.keyword ?? '').toLowerCase());
  switch (comparator.property) {
    case 'receivedAt':
      return email.receivedAtMs;
    case 'size':
      return email.sizeBytes;
    case 'hasKeyword':
      return has(email);
    case 'allInThreadHaveKeyword':
      return threadEmails(image, email.threadId).every(has);
    case 'someInThreadHaveKeyword':
      return threadEmails(image, email.threadId).some(has);
    default:
      return content ?? '';
  }
}

/** Sorts; what the comparators don't tell apart, newest first. @throws PageMissing */
export function sortEmails(
  image: UserImage,
  emails: readonly EmailRecord[],
  sort: readonly Comparator[],
  contentKeys: (email: EmailRecord) => readonly SortKey[] | undefined,
): EmailRecord[] {
  const keyed = emails.map((email) => {
    const content = contentKeys(email);
    return {
      email,
      keys: sort.map((comparator, index) => sortKey(image, email, comparator, content?.[index])),
    };
  });
  keyed.sort((a, b) => {
    for (const [index, { isAscending = true }] of sort.entries()) {
      const order = compareKeys(a.keys[index] ?? '', b.keys[index] ?? '');
      if (order !== 0) return isAscending ? order : -order;
    }
    return b.email.receivedAtMs - a.email.receivedAtMs || b.email.id - a.email.id;
  });
  return keyed.map(({ email }) => email);
}
