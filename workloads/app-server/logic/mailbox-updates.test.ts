import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxId } from '../image/ids.ts';
import { asUser, type UserImage } from '../image/model.ts';
import { deliver, type Delivered } from './delivery.ts';
import { updateEmail } from './email-updates.ts';
import { addMailbox, changeMailbox, removalBudget, removeMailbox } from './mailbox-updates.ts';
import { delivery, transactions } from './testing.ts';
import type { Tx } from './users.ts';

function start(): { image: UserImage; next: () => Tx } {
  const { image, next } = transactions();
  const user = asUser(image);
  assert.ok(user);
  return { image: user, next };
}

function make(next: () => Tx, image: UserImage, name: string, parentId: string | null = null): string {
  const made = addMailbox(next(), image, { name, parentId });
  assert.ok('id' in made, JSON.stringify(made));
  return made.id;
}

test('a mailbox with more emails than one transaction removes goes in several, and emails elsewhere stay', () => {
  const { image, next } = start();
  const large = make(next, image, 'Large');
  const inbox = mailboxId([...image.mailboxes.keys()][0] ?? 0);
  for (let n = 0; n < 2_500; n++) {
    const { emailId } = deliver(next(), delivery(`k${n}`)) as Delivered;
    const mailboxIds = { [large]: true, ...(n === 0 ? { [inbox]: true } : {}) };
    assert.equal(updateEmail(next(), image, emailId, { mailboxIds }), undefined);
  }
  assert.deepEqual(removeMailbox(next(), image, large, false, removalBudget()), {
    type: 'mailboxHasEmail',
    description: 'It is not empty; see onDestroyRemoveEmails.',
  });
  assert.equal(removeMailbox(next(), image, large, true, removalBudget()), 'more');
  assert.equal(image.emails.size, 500);
  assert.equal(removeMailbox(next(), image, large, true, removalBudget()), undefined);
  assert.equal(image.emails.size, 1);
  assert.equal(image.mailboxes.size, 7);
});

test('mailboxes lie at most ten deep, and none below itself', () => {
  const { image, next } = start();
  const ids: string[] = [];
  for (let depth = 1; depth <= 10; depth++) ids.push(make(next, image, `Box ${depth}`, ids.at(-1) ?? null));
  const tooDeep = addMailbox(next(), image, { name: 'x', parentId: ids[9] });
  assert.equal('type' in tooDeep && tooDeep.properties?.[0], 'parentId');
  const [top = '', second = '', third = ''] = ids;
  assert.equal(changeMailbox(next(), image, top, { parentId: third })?.type, 'invalidProperties');
  assert.equal(changeMailbox(next(), image, top, { parentId: top })?.type, 'invalidProperties');
  const other = make(next, image, 'Other top');
  assert.equal(changeMailbox(next(), image, top, { parentId: other })?.type, 'invalidProperties');
  assert.equal(changeMailbox(next(), image, second, { parentId: other }), undefined);
  assert.equal(changeMailbox(next(), image, second, { parentId: null }), undefined);
});
