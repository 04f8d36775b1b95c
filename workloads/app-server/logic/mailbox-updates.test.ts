import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxId } from '../image/ids.ts';
import { deliver, type Delivered } from './delivery.ts';
import { updateEmail } from './email-updates.ts';
import { addMailbox, changeMailbox, removalBudget, removeMailbox } from './mailbox-updates.ts';
import { delivery, transactions } from './testing.ts';
import type { Tx } from './users.ts';

function make(next: () => Tx, name: string, parentId: string | null = null): string {
  const made = addMailbox(next(), { name, parentId });
  assert.ok('id' in made, JSON.stringify(made));
  return made.id;
}

test('a mailbox with more emails than one transaction removes goes in several, and emails elsewhere stay', () => {
  const { image, next } = transactions();
  const large = make(next, 'Large');
  const inbox = mailboxId([...image().mailboxes.keys()][0] ?? 0);
  for (let n = 0; n < 2_500; n++) {
    const { emailId } = deliver(next(), delivery(`k${n}`)) as Delivered;
    const mailboxIds = { [large]: true, ...(n === 0 ? { [inbox]: true } : {}) };
    assert.equal(updateEmail(next(), emailId, { mailboxIds }), undefined);
  }
  assert.deepEqual(removeMailbox(next(), large, false, removalBudget()), {
    type: 'mailboxHasEmail',
    description: 'It is not empty; see onDestroyRemoveEmails.',
  });
  assert.equal(removeMailbox(next(), large, true, removalBudget()), 'more');
  assert.equal(image().emails.size, 500);
  assert.equal(removeMailbox(next(), large, true, removalBudget()), undefined);
  assert.equal(image().emails.size, 1);
  assert.equal(image().mailboxes.size, 7);
});

test('mailboxes lie at most ten deep, and none below itself', () => {
  const { next } = transactions();
  const ids: string[] = [];
  for (let depth = 1; depth <= 10; depth++) ids.push(make(next, `Box ${depth}`, ids.at(-1) ?? null));
  const tooDeep = addMailbox(next(), { name: 'x', parentId: ids[9] });
  assert.equal('type' in tooDeep && tooDeep.properties?.[0], 'parentId');
  const [top = '', second = '', third = ''] = ids;
  assert.equal(changeMailbox(next(), top, { parentId: third })?.type, 'invalidProperties');
  assert.equal(changeMailbox(next(), top, { parentId: top })?.type, 'invalidProperties');
  const other = make(next, 'Other top');
  assert.equal(changeMailbox(next(), top, { parentId: other })?.type, 'invalidProperties');
  assert.equal(changeMailbox(next(), second, { parentId: other }), undefined);
  assert.equal(changeMailbox(next(), second, { parentId: null }), undefined);
});
