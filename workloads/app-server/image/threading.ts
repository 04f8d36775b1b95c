// Which thread a message belongs to (RFC 8621 section 3): two messages are of one thread when their headers name a common
// message id (Message-ID, In-Reply-To, References) and their subjects are the same but for prefixes such as "Re:".
import { murmur64 } from '../../common/hash.ts';
import type { HeaderSummary } from '../../common/mime/message.ts';
import { MIN_SWEEP } from './empty.ts';
import type { Ordinal } from './ids.ts';
import type { UserImage } from './model.ts';
import { together } from './pages/page.ts';
import { BufferedTree } from './pages/buffered-tree.ts';
import { Tree } from './pages/tree.ts';
import { ordinalKey, OLD_THREAD_KEYS, ORDINAL_BYTES, readOrdinal } from './record-keys.ts';
import { threadSize } from './threads.ts';

/** References that a message is looked up and remembered by: the newest are the last. */
const MAX_REFERENCES = 20;
/** Emails of one thread: more start a new one, so that no sender makes a thread whose every change is slow. */
const MAX_THREAD_EMAILS = 500;

/** Leaves asked for at once when all keys are looked through. */
const SWEEP_READ_AHEAD = 256;

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

/** @returns the oldest thread that a message with these keys belongs to and that takes one more; undefined: a new one @throws PageMissing */
export function findThread(image: UserImage, keys: readonly number[]): Ordinal | undefined {
  const named = together(keys.map((key) => () => image.threadKeys.get(ordinalKey(key))));
  const ids = new Set(named.flatMap((value) => (value ? [readOrdinal(value, 0)] : [])));
  const sizes = together(Array.from(ids, (id) => () => ({ id, size: threadSize(image, id) })));
  // A thread that is gone stays gone: its id is not used again.
  const open = sizes.filter(({ size }) => size > 0 && size < MAX_THREAD_EMAILS);
  return open.length === 0 ? undefined : Math.min(...open.map(({ id }) => id));
}

/** Notes that messages with these keys belong to the thread from now on. @throws PageMissing */
export function rememberThread(image: UserImage, keys: readonly number[], thread: Ordinal): UserImage {
  let tree = image.threadKeys;
  for (const key of keys) tree = tree.put(ordinalKey(key, thread));
  if (!tree.isFull) return { ...image, threadKeys: tree };
  const merged = { ...image, threadKeys: tree.merge() };
  return merged.threadKeys.main.size < image.threadKeysSweepAt ? merged : sweepThreads(merged);
}

/** Throws away the keys of threads that are gone. The next time is when there are twice as many as are left. */
function sweepThreads(image: UserImage): UserImage {
  let kept = new Tree(OLD_THREAD_KEYS);
  for (const record of image.threadKeys.main.range({ readAhead: SWEEP_READ_AHEAD }))
    if (threadSize(image, readOrdinal(record, ORDINAL_BYTES)) > 0) kept = kept.put(record);
  return {
    ...image,
    threadKeys: new BufferedTree(image.threadKeys.recent, kept),
    threadKeysSweepAt: Math.max(MIN_SWEEP, 2 * kept.size),
  };
}
