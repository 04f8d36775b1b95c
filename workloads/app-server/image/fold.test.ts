import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Action } from '../log/actions.ts';
import { entryCodec } from '../log/entry.ts';
import { BadAction } from './bad-action.ts';
import { imageFold } from './fold.ts';
import { emailId, mailboxId, ordinal, threadId } from './ids.ts';
import type { EmailRecord, Image, MailboxRecord, UserImage } from './model.ts';
import { compareByDate } from './order.ts';
import { message, messageAdded } from './testing.ts';
import { findThread, threadKeys as keysOf } from './threading.ts';

/** An image and the entries that made it, each of one action. */
class Log {
  readonly entries: Uint8Array[] = [];
  readonly image: Image = imageFold.empty('user:u1');

  get user(): UserImage {
    assert.equal(this.image.kind, 'user');
    return this.image as UserImage;
  }

  add(action: Action): number {
    const seq = this.entries.length + 1;
    const writer = { server: 'a-0', session: '1', number: seq };
    this.entries.push(entryCodec.encode({ timeMs: 1_790_000_000_000 + seq, writer, actions: [action] }));
    imageFold.apply(this.image, action, { seq, index: 0, timeMs: 1_790_000_000_000 + seq });
    return ordinal({ seq, index: 0 });
  }

  replay(): Image {
    const image = imageFold.empty('user:u1');
    for (const [at, bytes] of this.entries.entries()) {
      const { actions, timeMs } = entryCodec.decode(bytes);
      for (const [index, action] of actions.entries())
        imageFold.apply(image, action, { seq: at + 1, index, timeMs });
    }
    return image;
  }
}

function withMailboxes(roles: string[]): Log {
  const log = new Log();
  for (const [index, role] of roles.entries())
    log.add({
      type: 'mailboxCreated',
      name: `Box ${index}`,
      parentId: '',
      role,
      sortOrder: index,
      isSubscribed: true,
    });
  return log;
}

const unread = (email: EmailRecord): boolean =>
  !email.keywords.includes('$seen') && !email.keywords.includes('$draft');

/** RFC 8621 section 2 said again, as slowly as it reads. */
function countedFromScratch(image: UserImage, mailbox: MailboxRecord): number[] {
  const emails = [...image.emails.values()];
  const inside = emails.filter((email) => email.mailboxes.includes(mailbox));
  const threads = [...new Set(inside.map((email) => email.thread.id))];
  const isTrash = (box: MailboxRecord): boolean => box.role === 'trash';
  const unreadThreads = threads.filter((id) =>
    emails.some((email) => {
      if (email.thread.id !== id || !unread(email)) return false;
      return isTrash(mailbox) ? email.mailboxes.some(isTrash) : !email.mailboxes.every(isTrash);
    }),
  );
  return [inside.length, inside.filter(unread).length, threads.length, unreadThreads.length];
}

function counts(mailbox: MailboxRecord): number[] {
  return [mailbox.emails.length, mailbox.unreadEmails, mailbox.totalThreads, mailbox.unreadThreads];
}

/** All of an image that a client could see, without sharing anything. */
function plain(image: Image): unknown {
  if (image.kind !== 'user') return image;
  const boxes = [...image.mailboxes.values()].map((mailbox) => ({
    mailbox: { ...mailbox, parent: mailbox.parent?.id, emails: undefined },
    emails: mailbox.emails.map((email) => email.id),
  }));
  const emails = [...image.emails.values()].map((email) => ({
    email: { ...email, thread: email.thread.id, mailboxes: undefined },
    mailboxes: email.mailboxes.map((mailbox) => mailbox.id),
  }));
  const threads = [...image.threads.values()].map(({ id, emails: list }) => [
    id,
    list.map((email) => email.id),
  ]);
  const { sharedKeywords, sharedMailboxes, emailsByDate, threadKeys, deliveries, ...rest } = image;
  const order = emailsByDate.map((email) => email.id);
  const shared = [[...sharedKeywords.keys()], [...sharedMailboxes.keys()]];
  const lookups = [[...threadKeys.entries()], [...deliveries.entries()]];
  return { ...rest, lookups, mailboxes: boxes, emails, threads, emailsByDate: order, shared };
}

type Step =
  | { kind: 'add'; boxes: number[]; keywords: string[]; time: number; subject: number; parent: number }
  | { kind: 'keywords'; pick: number; keywords: string[] }
  | { kind: 'move'; pick: number; boxes: number[] }
  | { kind: 'destroy'; pick: number }
  | { kind: 'role'; pick: number; role: string };

const keywords = fc.uniqueArray(fc.constantFrom('$seen', '$draft', '$flagged', 'work'), { maxLength: 3 });
const boxes = fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        boxes,
        keywords,
        time: fc.nat(20),
        subject: fc.nat(1),
        parent: fc.nat(6),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('keywords' as const), pick: fc.nat(), keywords }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('move' as const), pick: fc.nat(), boxes }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroy' as const), pick: fc.nat() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('role' as const),
        pick: fc.nat(4),
        role: fc.constantFrom('', 'trash'),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

function run(log: Log, step: Step): void {
  const image = log.user;
  const ids = [...image.mailboxes.keys()].map(mailboxId);
  const named = (numbers: number[]): string[] => numbers.map((n) => ids[n % ids.length] ?? '');
  const emails = [...image.emails.values()];
  if (step.kind === 'add') {
    const parsed = message({
      subject: `Subject ${step.subject}`,
      messageId: [`id-${log.entries.length}@example.org`],
      references: [`id-${log.entries.length - step.parent}@example.org`],
    });
    const found = findThread(image, keysOf(parsed.headers));
    log.add(
      messageAdded({
        mailboxIds: named(step.boxes),
        keywords: step.keywords,
        receivedAtMs: step.time,
        deliveryKey: `delivery ${log.entries.length}`,
        message: parsed,
        threadId: found === undefined ? '' : threadId(found),
      }),
    );
    return;
  }
  if (step.kind === 'role') {
    const mailbox = ids[step.pick % ids.length] ?? '';
    // No two trashes: logic/ sees to that.
    if (step.role === 'trash' && [...image.mailboxes.values()].some((box) => box.role === 'trash')) return;
    log.add({ type: 'mailboxUpdated', mailboxId: mailbox, role: step.role });
    return;
  }
  const email = emails[step.pick % Math.max(1, emails.length)];
  if (!email) return;
  const id = emailId(email.id);
  if (step.kind === 'keywords')
    log.add({ type: 'messageKeywordsChanged', emailId: id, keywords: step.keywords });
  else if (step.kind === 'move')
    log.add({ type: 'messageMailboxesChanged', emailId: id, mailboxIds: named(step.boxes) });
  else log.add({ type: 'messageDestroyed', emailId: id, threadId: threadId(email.thread.id) });
}

test('after any actions the counts are those of a recount, the lists are sorted, and changed mailboxes say so', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const log = withMailboxes(['inbox', '', 'trash', '', 'archive']);
      for (const step of list) {
        const before = new Map([...log.user.mailboxes.values()].map((box) => [box, counts(box)]));
        run(log, step);
        for (const [mailbox, countsBefore] of before) {
          const expected = countedFromScratch(log.user, mailbox);
          assert.deepEqual(counts(mailbox), expected);
          if (expected.some((count, index) => count !== countsBefore[index]))
            assert.equal(mailbox.changedAt, ordinal({ seq: log.entries.length, index: 0 }));
          assert.deepEqual(mailbox.emails, mailbox.emails.toSorted(compareByDate));
        }
        for (const thread of log.user.threads.values()) {
          assert.ok(thread.emails.length > 0);
          assert.ok(thread.emails.every((email) => email.thread === thread));
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('a replay of the log makes the same image', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const log = withMailboxes(['inbox', '', 'trash', '', 'archive']);
      for (const step of list) run(log, step);
      assert.deepEqual(plain(log.replay()), plain(log.image));
    }),
    { numRuns: 100 },
  );
});

test('an unread email that lies in the trash alone makes its thread unread there and nowhere else', () => {
  const log = withMailboxes(['inbox', 'trash']);
  const first = log.add(messageAdded({ mailboxIds: ['m1-0'], keywords: ['$seen'] }));
  log.add(messageAdded({ mailboxIds: ['m2-0'], threadId: threadId(first) }));
  const [inbox, trash] = [...log.user.mailboxes.values()];
  assert.ok(inbox && trash);
  assert.deepEqual([inbox.totalThreads, inbox.unreadThreads], [1, 0]);
  assert.deepEqual([trash.totalThreads, trash.unreadThreads], [1, 1]);
});

test('an action on what is not there stops the replay', () => {
  const log = withMailboxes(['inbox']);
  assert.throws(() => log.add({ type: 'messageKeywordsChanged', emailId: 'e9-0', keywords: [] }), BadAction);
  assert.throws(() => log.add(messageAdded({ mailboxIds: ['m7-0'] })), BadAction);
  assert.throws(() => log.add({ type: 'addressAssigned', userId: 'u1' }), BadAction);
});
