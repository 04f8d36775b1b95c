// Threads (RFC 8621 section 3): the email that began one has its id; the others are kept by it.
import { decodeEmail, emailOf, emailsOf } from './email-record.ts';
import type { Ordinal } from './ids.ts';
import type { EmailRecord, UserImage } from './model.ts';
import { together } from './pages/page.ts';
import { ordinalKey, ORDINAL_BYTES, readOrdinal } from './record-keys.ts';

/** Leaves asked for at once when all emails are read. */
const READ_AHEAD = 256;

export function compareByDate(a: EmailRecord, b: EmailRecord): number {
  return a.receivedAtMs - b.receivedAtMs || a.id - b.id;
}

function keysOf(id: Ordinal): { from: Uint8Array; to: Uint8Array } {
  return { from: ordinalKey(id, 0), to: ordinalKey(id + 1, 0) };
}

/** The emails of a thread, oldest first; none when there is no such thread. @throws PageMissing */
export function threadEmails(image: UserImage, id: Ordinal): EmailRecord[] {
  const joined = Array.from(image.threads.range(keysOf(id)), (key) => readOrdinal(key, ORDINAL_BYTES));
  const emails = emailsOf(image, [id, ...joined]).filter((email) => email.threadId === id);
  return emails.sort(compareByDate);
}

/** How many emails a thread has. @throws PageMissing */
export function threadSize(image: UserImage, id: Ordinal): number {
  const { from, to } = keysOf(id);
  const [first, start, end] = together<number>([
    () => (emailOf(image, id)?.threadId === id ? 1 : 0),
    () => image.threads.rank(from),
    () => image.threads.rank(to),
  ]) as [number, number, number];
  return first + end - start;
}

/** Every email, by its id. Long. @throws PageMissing */
export function* allEmails(image: UserImage): Generator<EmailRecord, void, undefined> {
  for (const record of image.emails.range({ readAhead: READ_AHEAD })) yield decodeEmail(image, record);
}

/** Every thread's emails. Long. @throws PageMissing */
export function allThreads(image: UserImage): Iterable<EmailRecord[]> {
  const threads = new Map<Ordinal, EmailRecord[]>();
  for (const email of allEmails(image)) {
    const thread = threads.get(email.threadId);
    if (thread) thread.push(email);
    else threads.set(email.threadId, [email]);
  }
  return threads.values();
}
