import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimits, senderKeys } from './rate-limits.ts';

test('a bucket gives what a minute gives, and fills again with time', () => {
  let now = 0;
  const limits = new RateLimits(
    { client: 60, sender: 2, senderDomain: undefined, recipient: undefined, senderToRecipient: undefined },
    () => now,
  );
  const take = (sender: string) => limits.take({ client: '192.0.2.1', sender, senderDomain: 'x.test' });
  assert.deepEqual([take('a'), take('a'), take('a')], [undefined, undefined, 'sender']);
  // What was refused took nothing from the others: 58 are left.
  for (let i = 0; i < 58; i++) assert.equal(take(`other ${i}`), undefined);
  assert.equal(take('last'), 'client');
  now = 30_000;
  assert.deepEqual([take('a'), take('a')], [undefined, 'sender']);
  now = 86_400_000;
  assert.deepEqual([take('a'), take('a'), take('a')], [undefined, undefined, 'sender']);
});

test('nobody is nobody’s sender, and a network of IPv6 is one client', () => {
  const limits = new RateLimits({
    client: undefined,
    sender: 1,
    senderDomain: 1,
    recipient: undefined,
    senderToRecipient: 1,
  });
  for (let i = 0; i < 5; i++) assert.equal(limits.take(senderKeys('192.0.2.1', '')), undefined);
  const client = (address: string): string => senderKeys(address, '').client;
  assert.equal(client('2001:db8::1'), client('2001:0db8:0:0:ffff::2'));
  assert.notEqual(client('2001:db8:0:1::1'), client('2001:db8::1'));
  assert.equal(client('::ffff:192.0.2.1'), '192.0.2.1');
  assert.deepEqual(senderKeys('::1', 'A@X.test').senderDomain, 'x.test');
});
