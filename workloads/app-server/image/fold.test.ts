import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Action } from '../log/actions.ts';
import { entryCodec } from '../log/entry.ts';
import { BadAction } from './bad-action.ts';
import { imageFold } from './fold.ts';
import { emailId, mailboxId, ordinal, threadId } from './ids.ts';
import { isAtHome, type EmailRecord, type Image, type MailboxRecord, type UserImage } from './model.ts';
import { ALL_MAIL, EmailList } from './lists.ts';
import { imageSnapshots } from './snapshot.ts';
import { message, messageAdded } from './testing.ts';
import { findThread, threadKeys as keysOf } from './threading.ts';
import { allEmails, allThreads, compareByDate, threadEmails } from './threads.ts';
import { emailOf } from './email-record.ts';

/** An image and the entries that made it, each of one action. */
class Log {
  readonly entries: Uint8Array[] = [];
  image: Image = imageFold.empty('user:u1');

  get user(): UserImage {
    assert.equal(this.image.kind, 'user');
    return this.image as UserImage;
  }

  add(action: Action): number {
    const seq = this.entries.length + 1;
    const writer = { server: 'a-0', session: '1', number: seq };
    this.entries.push(entryCodec.encode({ timeMs: 1_790_000_000_000 + seq, writer, actions: [action] }));
    this.image = imageFold.apply(this.image, action, { seq, index: 0, timeMs: 1_790_000_000_000 + seq });
    return ordinal({ seq, index: 0 });
  }

  replay(): Image {
    let image = imageFold.empty('user:u1');
    for (const [at, bytes] of this.entries.entries()) {
      const { actions, timeMs } = entryCodec.decode(bytes);
      for (const [index, action] of actions.entries())
        image = imageFold.apply(image, action, { seq: at + 1, index, timeMs });
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
  const emails = [...allEmails(image)];
  const inside = emails.filter((email) => email.mailboxIds.includes(mailbox.id));
  const threads = [...new Set(inside.map((email) => email.threadId))];
  const isTrash = (id: number): boolean => image.mailboxes.get(id)?.role === 'trash';
  const unreadThreads = threads.filter((id) =>
    emails.some((email) => {
      if (email.threadId !== id || !unread(email)) return false;
      return isTrash(mailbox.id) ? email.mailboxIds.some(isTrash) : !email.mailboxIds.every(isTrash);
    }),
  );
  return [inside.length, inside.filter(unread).length, threads.length, unreadThreads.length];
}

/** Emails in the inbox that are unread, and came after the last look. */
function unseenFromScratch(image: UserImage, lookedAt: number): number {
  const inbox = [...image.mailboxes.values()].find(({ role }) => role === 'inbox')?.id ?? -1;
  return [...allEmails(image)].filter(
    (email) => email.mailboxIds.includes(inbox) && unread(email) && email.id > lookedAt,
  ).length;
}

function counts(mailbox: MailboxRecord | undefined): number[] {
  assert.ok(mailbox);
  return [mailbox.totalEmails, mailbox.unreadEmails, mailbox.totalThreads, mailbox.unreadThreads];
}

function listOf(image: UserImage, mailbox: number): EmailRecord[] {
  return Array.from(new EmailList(image, mailbox).from(0), (id) => emailOf(image, id) as EmailRecord);
}

type Step =
  | { kind: 'add'; boxes: number[]; keywords: string[]; time: number; subject: number; parent: number }
  | { kind: 'keywords'; pick: number; keywords: string[] }
  | { kind: 'move'; pick: number; boxes: number[] }
  | { kind: 'destroy'; pick: number }
  | { kind: 'role'; pick: number; role: string }
  | { kind: 'look' };

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
        role: fc.constantFrom('', 'trash', 'inbox'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
  ),
  { maxLength: 60, size: 'max' },
);

function run(log: Log, step: Step): void {
  const image = log.user;
  const ids = [...image.mailboxes.keys()].map(mailboxId);
  const named = (numbers: number[]): string[] => numbers.map((n) => ids[n % ids.length] ?? '');
  const emails = [...allEmails(image)];
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
    // No two trashes or inboxes: logic/ sees to that.
    if (step.role !== '' && [...image.mailboxes.values()].some((box) => box.role === step.role)) return;
    log.add({ type: 'mailboxUpdated', mailboxId: mailbox, role: step.role });
    return;
  }
  if (step.kind === 'look') return void log.add({ type: 'inboxSeen' });
  const email = emails[step.pick % Math.max(1, emails.length)];
  if (!email) return;
  const id = emailId(email.id);
  if (step.kind === 'keywords')
    log.add({ type: 'messageKeywordsChanged', emailId: id, keywords: step.keywords });
  else if (step.kind === 'move')
    log.add({ type: 'messageMailboxesChanged', emailId: id, mailboxIds: named(step.boxes) });
  else log.add({ type: 'messageDestroyed', emailId: id, threadId: threadId(email.threadId) });
}

test('after any actions the counts are those of a recount, the lists are sorted, and changed mailboxes say so', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const log = withMailboxes(['inbox', '', 'trash', '', 'archive']);
      let lookedAt = 0;
      for (const step of list) {
        const before = log.user;
        run(log, step);
        const now = log.user;
        const here = ordinal({ seq: log.entries.length, index: 0 });
        if (step.kind === 'look') lookedAt = here;
        assert.equal(now.unseen, unseenFromScratch(now, lookedAt));
        for (const [id, mailbox] of now.mailboxes) {
          const expected = countedFromScratch(now, mailbox);
          assert.deepEqual(counts(mailbox), expected);
          const countsBefore = counts(before.mailboxes.get(id));
          if (expected.some((count, index) => count !== countsBefore[index]))
            assert.equal(mailbox.changedAt, here);
          const inside = [...allEmails(now)].filter((email) => email.mailboxIds.includes(id));
          assert.deepEqual(listOf(now, id), inside.sort(compareByDate));
        }
        assert.deepEqual(listOf(now, ALL_MAIL), [...allEmails(now)].sort(compareByDate));
        for (const thread of allThreads(now))
          assert.deepEqual(threadEmails(now, thread[0]?.threadId ?? 0), thread.sort(compareByDate));
      }
    }),
    { numRuns: 150 },
  );
});

test('a replay of the log makes the same image, byte for byte', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const log = withMailboxes(['inbox', '', 'trash', '', 'archive']);
      for (const step of list) run(log, step);
      assert.deepEqual([...allEmails(log.replay() as UserImage)], [...allEmails(log.user)]);
      assert.equal(imageSnapshots.digest(log.replay()), imageSnapshots.digest(log.image));
    }),
    { numRuns: 100 },
  );
});

test('an image that was taken stays as it was', () => {
  const log = withMailboxes(['inbox', 'trash']);
  const id = emailId(log.add(messageAdded()));
  const taken = log.image;
  const digest = imageSnapshots.digest(taken);
  log.add({ type: 'messageKeywordsChanged', emailId: id, keywords: ['$seen', 'work'] });
  log.add({ type: 'messageMailboxesChanged', emailId: id, mailboxIds: ['m1-0', 'm2-0'] });
  log.add({ type: 'messageDestroyed', emailId: id, threadId: 't3-0' });
  assert.equal(imageSnapshots.digest(taken), digest);
  assert.equal([...allEmails(log.user)].length, 0);
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
  assert.throws(() => log.add({ type: 'addressAssigned', userId: 'u1', cell: 'a' }), BadAction);
});

test('a log is at home where it began, until it moves; what is copied of it elsewhere is not served', () => {
  const log = new Log();
  log.add({ type: 'userCreated', userId: 'u1', addresses: [], displayName: '', cell: 'a' });
  log.add({
    type: 'mailboxCreated',
    name: 'Inbox',
    parentId: '',
    role: '',
    sortOrder: 0,
    isSubscribed: true,
  });
  assert.deepEqual([isAtHome(log.replay(), 'a'), isAtHome(log.replay(), 'b')], [true, false]);
  log.add({ type: 'moved', toCell: 'b' });
  assert.deepEqual([isAtHome(log.replay(), 'a'), isAtHome(log.replay(), 'b')], [false, true]);
});

test('a log of an earlier version, which does not say where it began, is at home wherever it is', () => {
  const log = new Log();
  log.add({ type: 'userCreated', userId: 'u1', addresses: [], displayName: '', cell: '' });
  assert.ok(isAtHome(log.replay(), 'a') && isAtHome(log.replay(), 'b'));
});
