import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contents } from '../../workloads/app-server/logic/contents.ts';
import { mailboxPaths } from './mailbox-files.ts';

test('every mailbox has a file of its own, whatever it is called', () => {
  const contents = new Contents();
  const make = (index: number, name: string, parentId = ''): void =>
    contents.apply(
      { type: 'mailboxCreated', name, parentId, role: '', sortOrder: 0, isSubscribed: true },
      { seq: 1, index },
    );
  make(0, 'Inbox');
  make(1, 'INBOX');
  make(2, '../../etc/passwd');
  make(3, '..');
  make(4, 'Ü'.repeat(127));
  make(5, 'Child', 'm1-0');
  make(6, 'child', 'm1-0');
  make(7, 'a/b', 'm1-5');
  make(8, ' ');
  make(9, 'con:*?"<>|\u0007');
  const paths = mailboxPaths(contents);
  assert.equal(paths.get('m1-0'), 'Inbox');
  assert.equal(paths.get('m1-1'), 'INBOX (m1-1)');
  assert.equal(paths.get('m1-5'), 'Inbox/Child');
  assert.equal(paths.get('m1-6'), 'Inbox/child (m1-6)');
  assert.equal(paths.get('m1-7'), 'Inbox/Child/a_b');
  assert.equal(new Set([...paths.values()].map((path) => path.toLowerCase())).size, 10);
  for (const path of paths.values())
    for (const name of path.split('/')) {
      assert.ok(name !== '' && name !== '.' && name !== '..');
      assert.ok(Buffer.byteLength(name) <= 240);
      assert.doesNotMatch(name, /[\\:*?"<>|\p{Cc}]/u);
    }
});
