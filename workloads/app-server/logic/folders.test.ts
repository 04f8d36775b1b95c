import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxId } from '../image/ids.ts';
import { deliver } from './delivery.ts';
import type { Folder } from '../log/actions.ts';
import { chooseFolder, folderOf, type FolderFacts } from './folders.ts';
import { delivery, transactions } from './testing.ts';

test('the folder of a message follows from what is known', () => {
  const table: [FolderFacts, Folder][] = [
    [{ junk: false, degree: 'self', isUnsure: false }, 'inbox'],
    [{ junk: false, degree: 'friend', isUnsure: false }, 'inbox'],
    [{ junk: false, degree: 'friend-of-friend', isUnsure: false }, 'inbox'],
    [{ junk: false, degree: 'none', isUnsure: false }, 'other'],
    [{ junk: false, degree: 'unknown', isUnsure: false }, 'other'],
    [{ junk: false, degree: undefined, isUnsure: false }, 'inbox'],
    [{ junk: false, degree: undefined, isUnsure: true }, 'other'],
    [{ junk: false, degree: 'none', isUnsure: false, isCorrespondent: true }, 'inbox'],
    [{ junk: false, degree: 'friend', isUnsure: false, isCorrespondent: true, chosen: 'other' }, 'other'],
    [{ junk: false, degree: 'none', isUnsure: true, chosen: 'inbox' }, 'inbox'],
    [{ junk: true, degree: 'friend', isUnsure: false, chosen: 'inbox' }, 'junk'],
    [{ junk: true, degree: 'friend', isUnsure: false }, 'junk'],
    [{ junk: true, degree: 'unknown', isUnsure: true }, 'junk'],
  ];
  for (const [facts, expected] of table) assert.equal(chooseFolder(facts), expected, JSON.stringify(facts));
});

test('Junk and Other are found; one that is not there is made with the first message that needs it', () => {
  const { image, next } = transactions();
  const named = (name: string) => [...image().mailboxes.values()].find((mailbox) => mailbox.name === name);
  assert.equal(folderOf(next(), 'other'), mailboxId(named('Other')?.id ?? 0));
  const junk = named('Junk');
  next().add({ type: 'mailboxDestroyed', mailboxId: folderOf(next(), 'junk') });
  assert.equal(named('Junk'), undefined);
  deliver(next(), delivery('k1', { junk: true }));
  deliver(next(), delivery('k2', { junk: true }));
  const made = named('Junk');
  assert.notEqual(made?.id, junk?.id);
  assert.equal(made?.role, 'junk');
  assert.equal(made?.totalEmails, 2);
  assert.equal(named('Inbox')?.totalEmails, 0);
});

test('a folder called Junk that has lost its role gets it again', () => {
  const { image, next } = transactions();
  const id = folderOf(next(), 'junk');
  next().add({ type: 'mailboxUpdated', mailboxId: id, role: '' });
  assert.equal(folderOf(next(), 'junk'), id);
  assert.equal([...image().mailboxes.values()].find(({ name }) => name === 'Junk')?.role, 'junk');
});
