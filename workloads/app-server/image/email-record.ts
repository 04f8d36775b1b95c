// Emails in the trees of an image: 33 bytes each, and a label for each mailbox of an email that is in several, and for each
// keyword that is not one of the usual.
import { BadAction } from './bad-action.ts';
import type { Ordinal } from './ids.ts';
import type { EmailRecord, UserImage } from './model.ts';
import { together } from './pages/page.ts';
import type { Tree } from './pages/tree.ts';
import {
  EMAILS,
  LABELS,
  labelKey,
  ordinalKey,
  ORDINAL_BYTES,
  readOrdinal,
  readTime,
  writeOrdinal,
  writeTime,
} from './record-keys.ts';

/** The keywords that have a bit in every record (RFC 8621 section 4.1.1; the IANA registry). Their order is the format's. */
const USUAL_KEYWORDS = [
  '$seen',
  '$flagged',
  '$answered',
  '$draft',
  '$forwarded',
  '$junk',
  '$notjunk',
  '$phishing',
] as const;
const usualKeywords: readonly string[] = USUAL_KEYWORDS;

/** Bits of the byte before that of the usual keywords. */
const HAS_ATTACHMENT = 1;
const HAS_LABELS = 2;
/** Its mailboxes are labels, all of them. */
const IN_SEVERAL = 4;

/** Kinds of labels. */
const MAILBOX = 0;
const KEYWORD = 1;

/** Where the fields of a value begin: receivedAt (6), size (4), bits (1), usual keywords (1), thread (7), mailbox (7). */
const SIZE_AT = 6;
const BITS_AT = 10;
const KEYWORDS_AT = 11;
const THREAD_AT = 12;
const MAILBOX_AT = 19;
const MAX_SIZE = 2 ** 32 - 1;

/** @throws PageMissing */
export function emailOf(image: UserImage, id: Ordinal): EmailRecord | undefined {
  const value = image.emails.get(ordinalKey(id));
  return value && decode(image, id, value);
}

/** Those of the emails that are there; what is missing of them is loaded in one go. @throws PageMissing */
export function emailsOf(image: UserImage, ids: Iterable<Ordinal>): EmailRecord[] {
  const found = together(Array.from(ids, (id) => () => emailOf(image, id)));
  return found.filter((email) => email !== undefined);
}

/** @param record key and value as they lie in the tree of emails @throws PageMissing */
export function decodeEmail(image: UserImage, record: Uint8Array): EmailRecord {
  return decode(image, readOrdinal(record, 0), record.subarray(EMAILS.keyBytes));
}

function decode(image: UserImage, id: Ordinal, value: Uint8Array): EmailRecord {
  const bits = value[BITS_AT] ?? 0;
  const usual = value[KEYWORDS_AT] ?? 0;
  const keywords: string[] = [];
  for (let bit = 0; usual >>> bit > 0; bit++)
    if ((usual >>> bit) & 1) keywords.push(usualKeywords[bit] as string);
  const mailboxIds = bits & IN_SEVERAL ? [] : [readOrdinal(value, MAILBOX_AT)];
  if (bits & HAS_LABELS) {
    for (const label of image.labels.range({ from: labelKey(id, 0, 0), to: labelKey(id + 1, 0, 0) })) {
      const what = readOrdinal(label, ORDINAL_BYTES + 1);
      if (label[ORDINAL_BYTES] === MAILBOX) mailboxIds.push(what);
      else keywords.push(image.keywords[what] ?? '');
    }
  }
  return {
    id,
    receivedAtMs: readTime(value, 0),
    sizeBytes: new DataView(value.buffer, value.byteOffset).getUint32(SIZE_AT),
    hasAttachment: (bits & HAS_ATTACHMENT) !== 0,
    threadId: readOrdinal(value, THREAD_AT),
    mailboxIds,
    keywords,
  };
}

/** Puts an email in, or in the place of what it was before. @throws PageMissing */
export function putEmail(image: UserImage, before: EmailRecord | undefined, email: EmailRecord): UserImage {
  const known = learnKeywords(image, email.keywords);
  const labels = labelsOf(known, email);
  const record = encode(email, labels.length > 0);
  let tree = before ? withoutLabels(known, before) : known.labels;
  for (const label of labels) tree = tree.put(label);
  return { ...known, emails: known.emails.put(record), labels: tree };
}

/** @throws PageMissing */
export function removeEmail(image: UserImage, email: EmailRecord): UserImage {
  return {
    ...image,
    emails: image.emails.delete(ordinalKey(email.id)),
    labels: withoutLabels(image, email),
  };
}

function encode(email: EmailRecord, hasLabels: boolean): Uint8Array {
  const { id, receivedAtMs, sizeBytes, hasAttachment, threadId, mailboxIds, keywords } = email;
  const record = new Uint8Array(EMAILS.keyBytes + EMAILS.valueBytes);
  const value = record.subarray(writeOrdinal(record, 0, id));
  writeTime(value, 0, receivedAtMs);
  new DataView(value.buffer, value.byteOffset).setUint32(SIZE_AT, Math.min(sizeBytes, MAX_SIZE));
  const several = mailboxIds.length > 1;
  value[BITS_AT] =
    (hasAttachment ? HAS_ATTACHMENT : 0) | (hasLabels ? HAS_LABELS : 0) | (several ? IN_SEVERAL : 0);
  let usual = 0;
  for (const keyword of keywords) {
    const bit = usualKeywords.indexOf(keyword);
    if (bit >= 0) usual |= 1 << bit;
  }
  value[KEYWORDS_AT] = usual;
  writeOrdinal(value, THREAD_AT, threadId);
  const [first] = mailboxIds;
  if (first === undefined) throw new BadAction('an email is in no mailbox');
  writeOrdinal(value, MAILBOX_AT, several ? 0 : first);
  return record;
}

function labelsOf(image: UserImage, { id, mailboxIds, keywords }: EmailRecord): Uint8Array[] {
  const labels: Uint8Array[] = [];
  if (mailboxIds.length > 1) for (const mailbox of mailboxIds) labels.push(labelKey(id, MAILBOX, mailbox));
  for (const keyword of keywords) {
    if (!usualKeywords.includes(keyword)) labels.push(labelKey(id, KEYWORD, image.keywords.indexOf(keyword)));
  }
  return labels;
}

function withoutLabels(image: UserImage, email: EmailRecord): Tree {
  let tree = image.labels;
  for (const label of labelsOf(image, email)) tree = tree.delete(label.subarray(0, LABELS.keyBytes));
  return tree;
}

function learnKeywords(image: UserImage, keywords: readonly string[]): UserImage {
  const unknown = unknownKeywords(image, keywords);
  return unknown.length === 0 ? image : { ...image, keywords: [...image.keywords, ...unknown] };
}

/** Those that no email of the user ever had. */
export function unknownKeywords(image: UserImage, keywords: readonly string[]): string[] {
  return keywords.filter((keyword) => !usualKeywords.includes(keyword) && !image.keywords.includes(keyword));
}
