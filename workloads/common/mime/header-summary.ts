// The headers that lists, threads and searches need.
import { lastField, type HeaderField } from './header-fields.ts';
import { decodeText, parseAddresses, parseDate, parseMessageIds } from './header-forms.ts';
import type { EmailAddress, HeaderSummary } from './message.ts';

/**
 * A summary goes into the log and into every list: addresses of one header beyond this are left to the headers; so are
 * ids, of which the newest tell the thread.
 */
export const MAX_SUMMARY_ITEMS = 100;
/** Longer than any line that mail may have: nobody can refer to it. */
const MAX_ID_CHARS = 998;
/** RFC 5321 section 4.5.3.1: 64 for the local part, 255 for the domain. */
const MAX_EMAIL_CHARS = 320;
const MAX_NAME_CHARS = 255;
/** Characters of a subject. */
export const MAX_SUBJECT_CHARS = 2_000;

export function summarize(fields: readonly HeaderField[]): HeaderSummary {
  const addresses = (name: string): EmailAddress[] | null => {
    const value = lastField(fields, name);
    return value ? parseAddresses(value).slice(0, MAX_SUMMARY_ITEMS).map(shorten) : null;
  };
  const ids = (name: string): string[] | null => {
    const value = lastField(fields, name);
    const found = value && parseMessageIds(value)?.filter((id) => id.length <= MAX_ID_CHARS);
    return found && found.length > 0 ? found.slice(-MAX_SUMMARY_ITEMS) : null;
  };
  const subject = lastField(fields, 'subject');
  const date = lastField(fields, 'date');
  return {
    from: addresses('from'),
    sender: addresses('sender'),
    replyTo: addresses('reply-to'),
    to: addresses('to'),
    cc: addresses('cc'),
    bcc: addresses('bcc'),
    subject: subject ? decodeText(subject).slice(0, MAX_SUBJECT_CHARS) : null,
    sentAt: date ? parseDate(date) : null,
    messageId: ids('message-id'),
    inReplyTo: ids('in-reply-to'),
    references: ids('references'),
    ...listId(fields),
  };
}

/** RFC 2919: what stands in the last angle brackets. */
function listId(fields: readonly HeaderField[]): { listId?: string } {
  const field = lastField(fields, 'list-id');
  const id = field && /<\s*([^<>\s]{1,255})\s*>[^<>]*$/.exec(decodeText(field))?.[1];
  return id ? { listId: id.toLowerCase() } : {};
}

function shorten({ name, email }: EmailAddress): EmailAddress {
  return { name: name?.slice(0, MAX_NAME_CHARS) ?? null, email: email.slice(0, MAX_EMAIL_CHARS) };
}
