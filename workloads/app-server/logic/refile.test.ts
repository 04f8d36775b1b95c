import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emailOf } from '../image/email-record.ts';
import { mailboxId, parseEmailId } from '../image/ids.ts';
import { message } from '../image/testing.ts';
import type { Degree } from '../relations.ts';
import { noteCorrespondents } from './correspondents.ts';
import { deliver, type Delivered } from './delivery.ts';
import { destroyEmail, updateEmail } from './email-updates.ts';
import { folderOf } from './folders.ts';
import { refileUnsure } from './refile.ts';
import { delivery, transactions } from './testing.ts';

function world() {
  const { image, next } = transactions();
  const arrive = (key: string, degree: Degree = 'unknown'): number => {
    const from = [{ name: null, email: `${key}@b.test` }];
    const { emailId } = deliver(next(), delivery(key, { degree, message: message({ from }) })) as Delivered;
    return parseEmailId(emailId) ?? 0;
  };
  const folder = (email: number): string | undefined =>
    image().mailboxes.get(emailOf(image(), email)?.mailboxIds[0] ?? 0)?.name;
  return { image, next, arrive, folder };
}

test('what was filed unsure is moved when its sender is a friend, and stays when not', () => {
  const { image, next, arrive, folder } = world();
  const [friend, stranger, surely] = [arrive('friend'), arrive('stranger'), arrive('surely', 'none')];
  assert.deepEqual([friend, stranger, surely].map(folder), ['Other', 'Other', 'Other']);
  assert.deepEqual(image().filing.unsure, [friend, stranger]);
  const known = new Map<number, Degree>([
    [friend, 'friend-of-friend'],
    [stranger, 'none'],
    [surely, 'friend'],
  ]);
  assert.equal(refileUnsure(next(), known), 1);
  assert.deepEqual([friend, stranger, surely].map(folder), ['Inbox', 'Other', 'Other']);
  assert.deepEqual(image().filing.unsure, []);
  const state = image();
  assert.equal(refileUnsure(next(), known), 0);
  assert.deepEqual(image(), state, 'said again it adds nothing');
});

test('what the user has touched is left alone', () => {
  const { image, next, arrive, folder } = world();
  const [read, moved, gone, waits] = [arrive('read'), arrive('moved'), arrive('gone'), arrive('waits')];
  const id = (email: number): string => `e${Math.floor(email / 2 ** 20)}-${email % 2 ** 20}`;
  updateEmail(next(), id(read), { 'keywords/$seen': true });
  const archive = [...image().mailboxes.values()].find(({ role }) => role === 'archive')?.id ?? 0;
  updateEmail(next(), id(moved), { mailboxIds: { [mailboxId(archive)]: true } });
  destroyEmail(next(), id(gone));
  assert.deepEqual(image().filing.unsure, [waits]);
  const friends = new Map([read, moved, gone, waits].map((email) => [email, 'friend'] as const));
  assert.equal(refileUnsure(next(), friends), 1);
  assert.deepEqual([read, moved, waits].map(folder), ['Other', 'Archive', 'Inbox']);
});

test('whoever the user wrote to is in the inbox, whatever the index says, also by a new inbox', () => {
  const { image, next, arrive, folder } = world();
  assert.equal(noteCorrespondents(next(), ['Pen@B.test', 'u1@x.test', 'no address']), 1);
  const state = image();
  assert.equal(noteCorrespondents(next(), ['pen@b.test']), 0);
  assert.deepEqual(image(), state, 'one that is known adds nothing to the log');
  assert.equal(folder(arrive('pen', 'none')), 'Inbox');
  assert.equal(folderOf(next(), 'inbox'), mailboxId([...image().mailboxes.keys()][0] ?? 0));
});

test('of those whom the user wrote to the oldest go', () => {
  const { image, next, arrive, folder } = world();
  noteCorrespondents(next(), ['first@b.test']);
  const write = (letter: string, count: number): void => {
    for (let n = 0; n < count; n += 64)
      noteCorrespondents(
        next(),
        Array.from({ length: 64 }, (_, index) => `${letter}${n + index}@b.test`),
      );
  };
  write('a', 4096);
  assert.equal(folder(arrive('first', 'none')), 'Inbox');
  write('b', 4096);
  assert.equal(folder(arrive('first', 'friend')), 'Inbox');
  assert.equal(folder(arrive('first2', 'none')), 'Other');
  assert.equal(noteCorrespondents(next(), ['first@b.test']), 1, 'forgotten by now');
  assert.ok(image().correspondents.size + image().olderCorrespondents.size <= 2 * 4096);
});
