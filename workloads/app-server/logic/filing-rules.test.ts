import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxId } from '../image/ids.ts';
import { message } from '../image/testing.ts';
import type { FilingRule } from '../log/actions.ts';
import { deliver } from './delivery.ts';
import { ownWord } from './filing-rules.ts';
import { delivery, transactions } from './testing.ts';

const RULE: FilingRule = {
  name: '',
  from: '',
  to: '',
  subject: '',
  listId: '',
  mailboxId: '',
  keywords: [],
  stop: false,
};
const CHECKED = {
  spf: 'none',
  dkim: 'none',
  dmarc: 'none',
  arc: 'none',
  dkimDomains: [],
  dmarcPolicy: '',
  fromDomain: 'b.test',
};

const letter = (fields: Parameters<typeof delivery>[1] = {}) =>
  delivery('k', {
    message: message({
      from: [{ name: null, email: 'Bob@B.test' }],
      to: [{ name: null, email: 'team@x.test' }],
      subject: 'The Weekly news',
      listId: 'news.lists.test',
    }),
    ...fields,
  });

function world() {
  const { image, next } = transactions();
  const box = (name: string): string =>
    mailboxId([...image().mailboxes.values()].find((mailbox) => mailbox.name === name)?.id ?? 0);
  const whole = (rule: Partial<FilingRule>): FilingRule => ({ ...RULE, ...rule });
  const set = (...rules: Partial<FilingRule>[]): void =>
    void next().add({ type: 'filingRulesSet', rules: rules.map(whole) });
  return { image, next, box, set };
}

test('a rule holds when all of its conditions do', () => {
  const { image, box, set } = world();
  const mailbox = box('Archive');
  const table: [Partial<FilingRule>, boolean][] = [
    [{ from: 'bob@b.test' }, true],
    [{ from: '@b.test' }, true],
    [{ from: '@test' }, false],
    [{ from: 'ob@b.test' }, false],
    [{ to: 'team@x.test' }, true],
    [{ to: 'u1@x.test' }, true],
    [{ to: 'u2@x.test' }, false],
    [{ subject: 'WEEKLY' }, true],
    [{ subject: 'daily' }, false],
    [{ listId: 'news.lists.test' }, true],
    [{ listId: 'lists.test' }, false],
    [{ from: '@b.test', subject: 'daily' }, false],
    [{ from: '@b.test', subject: 'weekly', listId: 'news.lists.test' }, true],
  ];
  for (const [rule, holds] of table) {
    set({ ...rule, mailboxId: mailbox });
    assert.equal(ownWord(image(), letter()).mailboxId, holds ? mailbox : undefined, JSON.stringify(rule));
  }
});

test('the first mailbox counts, keywords add up, and a rule may be the last', () => {
  const { image, box, set } = world();
  set(
    { subject: 'weekly', keywords: ['news'], mailboxId: 'm99-9' },
    { subject: 'daily', keywords: ['never'], stop: true },
    { from: '@b.test', keywords: ['news', 'bob'], mailboxId: box('Archive') },
    { to: 'team@x.test', mailboxId: box('Trash'), stop: true },
    { from: '@b.test', keywords: ['late'] },
  );
  assert.deepEqual(ownWord(image(), letter()), { mailboxId: box('Archive'), keywords: ['news', 'bob'] });
});

test('a name that its owner disowns is in no rule and in no word on a sender', () => {
  const { image, next, box, set } = world();
  set({ from: '@b.test', mailboxId: box('Archive') });
  next().add({ type: 'senderFiled', address: 'bob@b.test', folder: 'inbox', emailId: '' });
  const forged = letter({ authentication: { ...CHECKED, dmarc: 'fail' } });
  assert.deepEqual(ownWord(image(), forged), { keywords: [] });
});

test('a word on a sender needs a proof, but for Junk', () => {
  const { image, next } = world();
  const unproven = letter({ authentication: CHECKED });
  next().add({ type: 'senderFiled', address: 'bob@b.test', folder: 'inbox', emailId: '' });
  assert.equal(ownWord(image(), letter()).folder, 'inbox');
  assert.equal(ownWord(image(), unproven).folder, undefined);
  next().add({ type: 'senderFiled', address: 'bob@b.test', folder: 'junk', emailId: '' });
  assert.equal(ownWord(image(), unproven).folder, 'junk');
  next().add({ type: 'senderFiled', address: 'bob@b.test', folder: '', emailId: '' });
  assert.equal(ownWord(image(), letter()).folder, undefined);
});

test('the user’s own word goes before the index, and after Junk', () => {
  const { image, next, box, set } = world();
  const totals = (): Record<string, number> =>
    Object.fromEntries(
      [...image().mailboxes.values()].flatMap(({ name, totalEmails }) =>
        totalEmails > 0 ? [[name, totalEmails]] : [],
      ),
    );
  let deliveries = 0;
  const arrive = (fields: Parameters<typeof delivery>[1]): void =>
    void deliver(next(), { ...letter(fields), deliveryKey: `k${++deliveries}` });
  next().add({ type: 'senderFiled', address: 'bob@b.test', folder: 'other', emailId: '' });
  arrive({ degree: 'friend' });
  assert.deepEqual(totals(), { Other: 1 });
  set({ from: 'bob@b.test', mailboxId: box('Archive'), keywords: ['$flagged'] });
  arrive({ degree: 'unknown' });
  assert.deepEqual(totals(), { Archive: 1, Other: 1 });
  arrive({ degree: 'friend', junk: true });
  assert.deepEqual(totals(), { Archive: 1, Junk: 1, Other: 1 });
  assert.deepEqual(image().filing.unsure, [], 'nothing of it waits for the index');
});
