import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { systemClock as clock } from '../../common/clock.ts';
import type { Action } from '../log/actions.ts';
import type { StoredSnapshot } from '../log/log-store.ts';
import { MemoryLogs, MemoryStore } from '../log/memory-store.ts';
import { PageLost } from '../log/page-missing.ts';
import { lookAt } from '../log/pages.ts';
import type { Image as OpenImage } from '../log/user-log-open.ts';
import { saveImage, unsealSnapshot } from '../log/user-log-snapshot.ts';
import { BadSnapshot } from '../log/user-log-types.ts';
import { emailsOf } from './email-record.ts';
import { imageFold } from './fold.ts';
import { emailId, threadId, type Ordinal } from './ids.ts';
import { EmailList } from './lists.ts';
import type { Image, UserImage } from './model.ts';
import { allPages } from './pages/forest.ts';
import { pageId } from './pages/page.ts';
import { imageSize, unloadPages } from './size.ts';
import { imageSnapshots } from './snapshot.ts';
import { message, messageAdded } from './testing.ts';
import { allEmails } from './threads.ts';
import { treesOf } from './trees.ts';

const KEY = 'user:u1';
const INBOX = 'm1-0';
const ARCHIVE = 'm2-0';

/** Numbers that are the same in each run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** An image in a store, as UserLogs keeps it. */
class Stored {
  readonly logs = new MemoryLogs();
  readonly store = new MemoryStore(this.logs);
  readonly look = lookAt(this.store, clock, KEY);
  image: OpenImage<Image> = {
    state: imageFold.empty(KEY),
    seq: 0,
    timeMs: 0,
    saved: undefined,
    unsavedBytes: 0,
  };

  get user(): UserImage {
    return this.image.state as UserImage;
  }

  async apply(action: Action): Promise<void> {
    const seq = this.image.seq + 1;
    this.image.state = await this.look(() =>
      imageFold.apply(this.image.state, action, { seq, index: 0, timeMs: 0 }),
    );
    this.image.seq = seq;
  }

  async save(): Promise<void> {
    const parts = { store: this.store, clock, fold: imageFold };
    await saveImage(KEY, parts, this.image);
  }

  async open(): Promise<void> {
    const snapshot = await this.store.getSnapshot(KEY);
    assert.ok(snapshot);
    const { state, garbage } = imageSnapshots.decode(unsealSnapshot(KEY, snapshot));
    this.image = { ...this.image, state, saved: { state, seq: snapshot.seq, garbage } };
  }

  digest(): Promise<string> {
    return this.look(() => imageSnapshots.digest(this.image.state));
  }
}

function mailboxCreated(name: string): Action {
  return { type: 'mailboxCreated', name, parentId: '', role: '', sortOrder: 1, isSubscribed: true };
}

/** Mail as it comes and goes: mostly new, some of it in threads, some changed and deleted later. */
function* actions(count: number, random: (below: number) => number): Generator<Action> {
  yield mailboxCreated('Inbox');
  yield mailboxCreated('Archive');
  const emails: { id: string; thread: string }[] = [];
  for (let seq = 3; seq < count; seq++) {
    const one = emails[Math.max(0, emails.length - 1 - random(random(10) === 0 ? emails.length || 1 : 50))];
    const kind = one ? random(100) : 0;
    if (kind < 70 || !one) {
      const thread = one && kind < 20 ? one.thread : '';
      emails.push({ id: `e${seq}-0`, thread: thread || `t${seq}-0` });
      yield messageAdded({
        mailboxIds: random(20) === 0 ? [INBOX, ARCHIVE] : [INBOX],
        receivedAtMs: 1_790_000_000_000 + seq * 1_000 - random(5_000),
        deliveryKey: `delivery ${seq}`,
        message: message({ messageId: [`${seq}@x`], subject: `Subject ${seq}` }),
        threadId: thread,
      });
    } else if (kind < 85)
      yield {
        type: 'messageKeywordsChanged',
        emailId: one.id,
        keywords: ['$seen', `label${random(9)}`].slice(random(3)),
      };
    else if (kind < 93)
      yield {
        type: 'messageMailboxesChanged',
        emailId: one.id,
        mailboxIds: random(2) === 0 ? [ARCHIVE] : [INBOX],
      };
    else {
      emails.splice(emails.indexOf(one), 1);
      yield { type: 'messageDestroyed', emailId: one.id, threadId: one.thread };
    }
  }
}

test('an image that was stored, unloaded and opened many times is the one that the log makes, and the store keeps no page too many', async () => {
  const stored = new Stored();
  const random = seeded(7);
  let plain = imageFold.empty(KEY);
  let seq = 0;
  for (const action of actions(6_000, seeded(1))) {
    plain = imageFold.apply(plain, action, { seq: ++seq, index: 0, timeMs: 0 });
    await stored.apply(action);
    if (random(150) !== 0) continue;
    await stored.save();
    if (random(3) === 0) await stored.open();
    if (random(3) === 0) unloadPages(stored.image.state, 0);
  }
  await stored.save();
  assert.equal(await stored.digest(), imageSnapshots.digest(plain));
  await stored.open();
  assert.equal(await stored.digest(), imageSnapshots.digest(plain));
  assert.deepEqual(await stored.look(() => [...allEmails(stored.user)]), [...allEmails(plain as UserImage)]);
  const pages = await stored.look(() => [...allPages(treesOf(stored.user))]);
  assert.equal(await imageSnapshots.check(stored.user, stored.look), pages.length);
  const needed = new Set(pages.filter((ref) => ref.isStored).map(pageId));
  const kept = new Set(stored.logs.pages.get(KEY)?.keys());
  assert.ok(needed.size > 100);
  for (const id of stored.image.saved?.garbage ?? []) kept.delete(id);
  assert.deepEqual(kept, needed);
});

test('a snapshot of a small image is in one piece, also of one that was large', async () => {
  const stored = new Stored();
  const ids: Ordinal[] = [];
  for (const action of actions(3_000, seeded(2))) await stored.apply(action);
  await stored.save();
  assert.ok((stored.logs.pages.get(KEY)?.size ?? 0) > 0);
  for (const email of allEmails(stored.user)) ids.push(email.id);
  for (const email of emailsOf(stored.user, ids.slice(50)))
    await stored.apply({
      type: 'messageDestroyed',
      emailId: emailId(email.id),
      threadId: threadId(email.threadId),
    });
  const few = new Stored();
  for (const action of actions(100, seeded(2))) await few.apply(action);
  await few.save();
  assert.equal(few.logs.pages.get(KEY), undefined);
  await few.open();
  assert.equal(imageSize(few.image.state).bytes < 25_000, true);
});

test('a snapshot that is damaged, of another user, entry or format, is refused', async () => {
  const stored = new Stored();
  for (const action of actions(100, seeded(3))) await stored.apply(action);
  await stored.save();
  const snapshot = await stored.store.getSnapshot(KEY);
  assert.ok(snapshot);
  const { seq, format, bytes } = snapshot;
  const refused = (one: StoredSnapshot) => assert.throws(() => unsealSnapshot(KEY, one), BadSnapshot);
  for (const at of [0, 20, bytes.length - 1])
    refused({ seq, format, bytes: bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)) });
  refused({ seq, format, bytes: bytes.subarray(0, 100) });
  refused({ seq, format, bytes: new Uint8Array() });
  refused({ seq: seq + 1, format, bytes });
  refused({ seq, format: format + 1, bytes });
  assert.throws(() => unsealSnapshot('user:u2', snapshot), BadSnapshot);
});

test('a page that is gone or damaged is refused', async () => {
  const stored = new Stored();
  for (const action of actions(3_000, seeded(3))) await stored.apply(action);
  await stored.save();
  const pages = stored.logs.pages.get(KEY) ?? new Map<string, Uint8Array>();
  for (const damage of ['gone', 'flipped'] as const) {
    const kept = new Map(pages);
    for (const [id, bytes] of pages) {
      if (damage === 'gone') pages.delete(id);
      else
        pages.set(
          id,
          Uint8Array.from(bytes, (byte, at) => (at === 5 ? byte ^ 1 : byte)),
        );
    }
    await stored.open();
    const look = stored.look(() => new EmailList(stored.user, 0).at(0));
    await assert.rejects(look, PageLost);
    for (const [id, bytes] of kept) pages.set(id, bytes);
  }
});

test('a page of the newest mail is read in few rounds, however large the mailbox is', async () => {
  const stored = new Stored();
  for (const action of actions(6_000, seeded(4))) await stored.apply(action);
  await stored.save();
  await stored.open();
  let rounds = 0;
  const getPages = stored.store.getPages.bind(stored.store);
  stored.store.getPages = (key, ids) => {
    rounds++;
    return getPages(key, ids);
  };
  const emails = await stored.look(() => {
    const list = new EmailList(stored.user, 0);
    const newest = Array.from({ length: 50 }, (_, n) => list.at(list.length - 1 - n) ?? 0);
    return emailsOf(stored.user, newest);
  });
  assert.equal(emails.length, 50);
  assert.ok(rounds <= 8, `${rounds} rounds`);
});

test('in a snapshot of a version that noted no looks all that is unread in the inbox is new', () => {
  let image = imageFold.empty(KEY);
  const inbox: Action = { ...mailboxCreated('Inbox'), role: 'inbox' } as Action;
  for (const [index, action] of [inbox, messageAdded(), messageAdded({ keywords: ['$seen'] })].entries())
    image = imageFold.apply(image, action, { seq: index + 1, index: 0, timeMs: 0 });
  const proto = readFileSync(new URL('snapshot.proto', import.meta.url), 'utf8');
  const old = proto.replace(/.* unseen = 31;/, '').replace(/.* inbox_seen_at = 30;/, '');
  const [now, before] = [proto, old].map((text) =>
    protobuf.parse(text).root.lookupType('cellpost.image.ImageSnapshot'),
  );
  assert.ok(now && before && old.length < proto.length);
  const { bytes } = imageSnapshots.encode(image, undefined, []);
  const { user, ...rest } = before.toObject(before.decode(bytes));
  const { state } = imageSnapshots.decode(before.encode({ ...rest, user }).finish());
  assert.equal((state as UserImage).unseen, 1);
  assert.equal(imageSnapshots.digest(state), imageSnapshots.digest(image));
  const seen = imageFold.apply(image, { type: 'inboxSeen' }, { seq: 4, index: 0, timeMs: 0 });
  const again = imageSnapshots.decode(imageSnapshots.encode(seen, undefined, []).bytes).state;
  assert.equal((again as UserImage).unseen, 0);
  assert.equal(imageSnapshots.digest(again), imageSnapshots.digest(seen));
});
