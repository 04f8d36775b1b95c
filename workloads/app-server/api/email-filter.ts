// The conditions of Email/query (RFC 8621 section 4.4.1). Some are told by the image alone and may change at any time; the
// others by the message itself, which never changes, so what was found out about it once holds.
import { z } from 'zod';
import { parseMailboxId } from '../image/ids.ts';
import type { EmailRecord, UserImage } from '../image/model.ts';
import { threadEmails } from '../image/threads.ts';
import { MAX_MAILBOXES } from '../logic/mailbox-updates.ts';
import type { Truth } from './filter.ts';
import { id, unsignedInt, utcDate } from './schemas.ts';

const text = z.string().max(1024);
const keyword = z.string().max(255);

export const emailConditionSchema = z.strictObject({
  inMailbox: id.optional(),
  inMailboxOtherThan: z.array(id).max(MAX_MAILBOXES).optional(),
  before: utcDate.optional(),
  after: utcDate.optional(),
  minSize: unsignedInt.optional(),
  maxSize: unsignedInt.optional(),
  allInThreadHaveKeyword: keyword.optional(),
  someInThreadHaveKeyword: keyword.optional(),
  noneInThreadHaveKeyword: keyword.optional(),
  hasKeyword: keyword.optional(),
  notKeyword: keyword.optional(),
  hasAttachment: z.boolean().optional(),
  text: text.optional(),
  from: text.optional(),
  to: text.optional(),
  cc: text.optional(),
  bcc: text.optional(),
  subject: text.optional(),
  body: text.optional(),
  header: z.array(text).min(1).max(2).optional(),
});

export type EmailCondition = z.infer<typeof emailConditionSchema>;

export const EMAIL_CONDITIONS: ReadonlySet<string> = new Set(Object.keys(emailConditionSchema.shape));

/** What only the message itself tells. */
const CONTENT = ['text', 'from', 'to', 'cc', 'bcc', 'subject', 'body', 'header'] as const;

export function needsContent(condition: EmailCondition): boolean {
  return CONTENT.some((name) => condition[name] !== undefined);
}

/** Only the whole text of a message tells these. */
export function needsBody(condition: EmailCondition): boolean {
  return condition.text !== undefined || condition.body !== undefined;
}

/** Does the image's part of the condition hold? @throws PageMissing */
function matchesImage(image: UserImage, email: EmailRecord, condition: EmailCondition): boolean {
  const has = (keyword: string) => (other: EmailRecord) => other.keywords.includes(keyword.toLowerCase());
  const isIn = (mailboxId: string): boolean => {
    const at = parseMailboxId(mailboxId);
    return email.mailboxIds.some((id) => id === at);
  };
  const thread = (): EmailRecord[] => threadEmails(image, email.threadId);
  const { inMailbox, inMailboxOtherThan: others, before, after, minSize, maxSize } = condition;
  const { hasKeyword, notKeyword, hasAttachment } = condition;
  const { allInThreadHaveKeyword: all, someInThreadHaveKeyword: some } = condition;
  const { noneInThreadHaveKeyword: none } = condition;
  return (
    (inMailbox === undefined || isIn(inMailbox)) &&
    (others === undefined || email.mailboxIds.length > others.filter(isIn).length) &&
    (before === undefined || email.receivedAtMs < Date.parse(before)) &&
    (after === undefined || email.receivedAtMs >= Date.parse(after)) &&
    (minSize === undefined || email.sizeBytes >= minSize) &&
    (maxSize === undefined || email.sizeBytes < maxSize) &&
    (hasKeyword === undefined || has(hasKeyword)(email)) &&
    (notKeyword === undefined || !has(notKeyword)(email)) &&
    (hasAttachment === undefined || email.hasAttachment === hasAttachment) &&
    (all === undefined || thread().every(has(all))) &&
    (some === undefined || thread().some(has(some))) &&
    (none === undefined || !thread().some(has(none)))
  );
}

/** @param content whether the message's part of the condition holds; undefined: not known yet @throws PageMissing */
export function testCondition(
  image: UserImage,
  email: EmailRecord,
  condition: EmailCondition,
  content: Truth,
): Truth {
  if (!matchesImage(image, email, condition)) return false;
  return needsContent(condition) ? content : true;
}
