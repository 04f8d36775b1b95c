import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseSubject, threadKeys } from './threading.ts';
import { message } from './testing.ts';

test('the base subject has no prefixes, list tags or endings of replying and forwarding', () => {
  for (const subject of [
    'Lunch?',
    'Re: Lunch?',
    'RE: Fwd: lunch?',
    'AW[2]: [team] Re:  Lunch? (fwd)',
    ' fw: Lunch? ',
  ])
    assert.equal(baseSubject(subject), 'lunch?');
  assert.equal(baseSubject('[announce]'), '[announce]');
  assert.equal(baseSubject('Regarding: lunch'), 'regarding: lunch');
});

test('messages share a key only with a common message id and the same base subject', () => {
  const first = message({ messageId: ['a@x'], subject: 'Lunch' }).headers;
  const reply = message({ messageId: ['b@x'], inReplyTo: ['a@x'], subject: 'Re: Lunch' }).headers;
  const other = message({ messageId: ['c@x'], references: ['a@x'], subject: 'Dinner' }).headers;
  const keys = new Set(threadKeys(first));
  assert.ok(threadKeys(reply).some((key) => keys.has(key)));
  assert.ok(!threadKeys(other).some((key) => keys.has(key)));
  assert.deepEqual(threadKeys(message({ subject: 'Lunch' }).headers), []);
});
