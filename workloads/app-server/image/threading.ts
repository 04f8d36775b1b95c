// Which thread a message belongs to (RFC 8621 section 3): two messages are of one thread when their headers name a common
// message id (Message-ID, In-Reply-To, References) and their subjects are the same but for prefixes such as "Re:".
import { murmur64 } from '../../common/hash.ts';
import type { HeaderSummary } from '../../common/mime/message.ts';
import type { Ordinal } from './ids.ts';
import type { UserImage } from './model.ts';

/** References that a message is looked up and remembered by: the newest are the last. */
const MAX_REFERENCES = 20;
/** Emails of one thread: more start a new one, so that no sender makes a thread whose every change is slow. */
const MAX_THREAD_EMAILS = 500;

/** Threads that must have gone before their keys are looked for. */
const MIN_SWEEP = 256;

const encoder = new TextEncoder();

/** Reply and forward prefixes, "[list]" tags and "(fwd)" endings (RFC 5256 section 2.1, and what clients of other languages put). */
const PREFIX =
  /^(?:\s|\[[^\][]{1,64}\](?=\s*\S)|(?:re|fwd?|aw|wg|sv|vs|tr|rv|res|enc|antw|doorst)(?:\s*\[\d{1,4}\])?\s*:)/;
const SUFFIX = /\(fwd\)\s*$/;

/** The subject without what replying and forwarding add; white space made one. */
export function baseSubject(subject: string): string {
  let text = subject.normalize('NFC').toLowerCase().replaceAll(/\s+/g, ' ').trim();
  for (;;) {
    const shorter = text.replace(PREFIX, '').replace(SUFFIX, '').trim();
    if (shorter === text) return text;
    text = shorter;
  }
}

/** The keys under which the message's thread is remembered: 53-bit hashes of a message id with the base subject. */
export function threadKeys(headers: HeaderSummary): number[] {
  const subject = baseSubject(headers.subject ?? '');
  const ids = new Set([
    ...(headers.messageId ?? []).slice(0, MAX_REFERENCES),
    ...(headers.inReplyTo ?? []).slice(-MAX_REFERENCES),
    ...(headers.references ?? []).slice(-MAX_REFERENCES),
  ]);
  return [...ids].map((id) => {
    const [high, low] = murmur64(encoder.encode(`${id}\n${subject}`));
    return (high & 0x1fffff) * 2 ** 32 + low;
  });
}

/** @returns the oldest thread that a message with these keys belongs to and that takes one more; undefined: a new one */
export function findThread(image: UserImage, keys: readonly number[]): Ordinal | undefined {
  let found: Ordinal | undefined;
  for (const key of keys) {
    const id = image.threadKeys.get(key);
    if (takesMore(image, id) && (found === undefined || id < found)) found = id;
  }
  return found;
}

/** Notes that messages with these keys belong to the thread, unless one before it takes them. */
export function rememberThread(image: UserImage, keys: readonly number[], thread: Ordinal): void {
  for (const key of keys) if (!takesMore(image, image.threadKeys.get(key))) image.threadKeys.set(key, thread);
}

/** Now and then throws away the keys of threads that are gone: at a cost that is small beside what made them go. */
export function forgetThread(image: UserImage): void {
  image.goneThreads++;
  if (image.goneThreads < MIN_SWEEP || image.goneThreads < image.threads.size) return;
  image.goneThreads = 0;
  for (const [key, id] of image.threadKeys) if (!image.threads.has(id)) image.threadKeys.delete(key);
}

/** A thread that is gone stays gone: its id is not used again. */
function takesMore(image: UserImage, id: Ordinal | undefined): id is Ordinal {
  const size = id === undefined ? undefined : image.threads.get(id)?.emails.length;
  return size !== undefined && size < MAX_THREAD_EMAILS;
}
