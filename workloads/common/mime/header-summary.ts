// The headers that lists, threads and searches need.
import { lastField, type HeaderField } from './header-fields.ts';
import { decodeText, parseAddresses, parseDate, parseMessageIds } from './header-forms.ts';
import type { EmailAddress, HeaderSummary } from './message.ts';

/**
 * A summary goes into the log and into every list: addresses of one header beyond this are left to the headers; so are
 * ids, of which the newest tell the thread.
 */
export const MAX_SUMMARY_ITEMS = 100;
/** Characters of a subject. */
export const MAX_SUBJECT_CHARS = 2_000;

export function summarize(fields: readonly HeaderField[]): HeaderSummary {
  const addresses = (name: string): EmailAddress[] | null => {
    const value = lastField(fields, name);
    return value ? parseAddresses(value).slice(0, MAX_SUMMARY_ITEMS) : null;
  };
  const ids = (name: string): string[] | null => {
    const value = lastField(fields, name);
    return value ? (parseMessageIds(value)?.slice(-MAX_SUMMARY_ITEMS) ?? null) : null;
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
  };
}
