import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeAddress } from './keys.ts';

test('an address is looked up in lower case', () => {
  assert.equal(normalizeAddress('Alice@Cellpost.TEST'), 'alice@cellpost.test');
  assert.equal(normalizeAddress('+49301234567@x.test'), '+49301234567@x.test');
  for (const text of ['', 'alice', '@x', 'alice@', `${'a'.repeat(320)}@x.test`])
    assert.equal(normalizeAddress(text), undefined);
});

test('a phone number is one key however it is written, with its country', () => {
  for (const text of ['+49 30 123-45.67', 'tel:+49-30-1234567', 'TEL:+49(30)1234567', '+49301234567'])
    assert.equal(normalizeAddress(text), 'tel:+49301234567', text);
  assert.equal(normalizeAddress('tel:+49301234567'), 'tel:+49301234567');
  for (const text of ['030 1234567', '+0301234567', '+49', '+4930123456789012', '+49 30 CALL', 'tel:', '+'])
    assert.equal(normalizeAddress(text), undefined, text);
});
