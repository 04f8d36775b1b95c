import assert from 'node:assert/strict';
import { test } from 'node:test';
import { message, messageAdded } from '../image/testing.ts';
import type { Action } from './actions.ts';
import { UnreadableEntry } from './entry-codec.ts';
import { entryCodec } from './entry.ts';

const writer = { server: 'a-0', session: '1f', number: 2 ** 40 };

function roundTrip(actions: Action[]): readonly Action[] {
  const entry = { timeMs: 1_790_000_000_123, writer, actions };
  const decoded = entryCodec.decode(entryCodec.encode(entry));
  assert.deepEqual({ timeMs: decoded.timeMs, writer: decoded.writer }, { timeMs: entry.timeMs, writer });
  return decoded.actions;
}

test('every action comes back as it was written', () => {
  const parsed = message({ from: [{ name: null, email: 'a@b' }], to: [], subject: '', references: ['x@y'] });
  parsed.structure.subParts.push({ ...message().structure, partId: null, language: ['de'], charset: null });
  const actions: Action[] = [
    { type: 'userCreated', userId: 'u1', addresses: ['a@b'], displayName: 'Ä', cell: 'a' },
    { type: 'credentialsSet', salt: Uint8Array.of(1), hash: Uint8Array.of(2, 3), n: 16_384, r: 8, p: 1 },
    { type: 'mailboxCreated', name: 'Inbox', parentId: '', role: 'inbox', sortOrder: 0, isSubscribed: true },
    {
      type: 'mailboxUpdated',
      mailboxId: 'm1-0',
      name: undefined,
      parentId: '',
      role: '',
      sortOrder: 0,
      isSubscribed: false,
    },
    { type: 'mailboxDestroyed', mailboxId: 'm1-0' },
    messageAdded({ message: parsed, deliveryKey: 'k', threadId: 't1-0' }),
    messageAdded({ restoredFrom: 'e1-2' }),
    {
      type: 'mailboxCreated',
      name: 'Again',
      parentId: 'm1-0',
      role: '',
      sortOrder: 3,
      isSubscribed: false,
      restoredFrom: 'm1-9',
    },
    messageAdded({ body: { kind: 'blob', sha256: 'ab'.repeat(32) }, channel: 'sms' }),
    { type: 'messageKeywordsChanged', emailId: 'e1-0', keywords: ['$seen'] },
    { type: 'messageMailboxesChanged', emailId: 'e1-0', mailboxIds: ['m1-0'] },
    { type: 'messageDestroyed', emailId: 'e1-0', threadId: 't1-0' },
    messageAdded({ isMuted: true, isUnsure: true }),
    { type: 'messageRefiled', emailId: 'e1-0', mailboxIds: ['m1-0'] },
    { type: 'messageRefiled', emailId: 'e1-0', mailboxIds: [] },
    { type: 'correspondentsAdded', addresses: ['a@b', 'c@d'] },
    { type: 'senderFiled', address: 'a@b', folder: 'junk', emailId: 'e1-0' },
    { type: 'senderFiled', address: 'a@b', folder: '', emailId: '' },
    {
      type: 'filingRulesSet',
      rules: [
        {
          name: 'News',
          from: '@news.test',
          to: 'a@b',
          subject: 'x',
          listId: 'l.test',
          mailboxId: 'm1-3',
          keywords: ['$flagged'],
          stop: true,
        },
        { name: '', from: '', to: '', subject: '', listId: '', mailboxId: '', keywords: [], stop: false },
      ],
    },
    { type: 'inboxSeen' },
    { type: 'addressAssigned', userId: 'u1', cell: 'a' },
    { type: 'addressMoved', userId: 'u2', from: 'u1' },
    { type: 'addressReleased', userId: 'u2' },
    { type: 'addressesChanged', addresses: ['a@x.test', 'tel:+4930123456'] },
    { type: 'addressesChanged', addresses: [] },
  ];
  assert.deepEqual(roundTrip(actions), actions);
});

test('an entry without actions is a fence', () => {
  assert.deepEqual(roundTrip([]), []);
});

test('the bytes of an entry stay what they are', () => {
  const actions: Action[] = [{ type: 'addressAssigned', userId: 'u1', cell: 'a' }];
  const bytes = entryCodec.encode({ timeMs: 5, writer: { server: 'a', session: 'b', number: 1 }, actions });
  assert.equal(Buffer.from(bytes).toString('hex'), '080110051a080a01611201621801220952070a027531120161');
  const withoutCell = Buffer.from('080110051a080a01611201621801220652040a027531', 'hex');
  assert.deepEqual(entryCodec.decode(withoutCell).actions, [
    { type: 'addressAssigned', userId: 'u1', cell: '' },
  ]);
});

test('an unknown action, another format and broken bytes stop the reader', () => {
  const unknownAction = Buffer.from('080110052205fa07020a00', 'hex');
  assert.throws(() => entryCodec.decode(unknownAction), UnreadableEntry);
  assert.throws(() => entryCodec.decode(Buffer.from('08021005', 'hex')), /format 2/);
  assert.throws(() => entryCodec.decode(Buffer.from('ffff', 'hex')), UnreadableEntry);
  assert.throws(() => entryCodec.decode(new Uint8Array()), UnreadableEntry);
});
