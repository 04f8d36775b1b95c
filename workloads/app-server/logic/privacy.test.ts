import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_PRIVACY } from '../image/privacy.ts';
import type { PrivacySettings } from '../log/actions.ts';
import type { Degree } from '../relations.ts';
import { deliver } from './delivery.ts';
import { isMuted, reachOf, type Reach } from './privacy.ts';
import { delivery, transactions } from './testing.ts';

const from = (degree: Degree, mailFrom = 'eve@b.test') => ({ mailFrom, from: ['eve@b.test'], degree });

test('who may reach the user follows from the setting and the degree', () => {
  const degrees: Degree[] = ['self', 'friend', 'friend-of-friend', 'none', 'unknown'];
  const table: Record<PrivacySettings['reach'], Reach[]> = {
    everyone: ['yes', 'yes', 'yes', 'yes', 'yes'],
    friendsOfFriends: ['yes', 'yes', 'yes', 'no', 'unsure'],
    friends: ['yes', 'yes', 'no', 'no', 'unsure'],
  };
  for (const [reach, expected] of Object.entries(table) as [PrivacySettings['reach'], Reach[]][])
    assert.deepEqual(
      degrees.map((degree) => reachOf({ ...NO_PRIVACY, reach }, from(degree))),
      expected,
      reach,
    );
  assert.equal(reachOf({ ...NO_PRIVACY, reach: 'friends' }, from('none', '')), 'unsure');
});

test('a block goes before all, by the envelope or the header, by address or domain', () => {
  const blocked = (settings: Partial<PrivacySettings>, mailFrom = 'x@y.test'): Reach =>
    reachOf({ ...NO_PRIVACY, ...settings }, { mailFrom, from: ['Eve@Sub.B.test'], degree: 'friend' });
  assert.equal(blocked({ blockedAddresses: ['eve@sub.b.test'] }), 'no');
  assert.equal(blocked({ blockedAddresses: ['x@y.test'] }), 'no');
  assert.equal(blocked({ blockedDomains: ['b.test'] }), 'no');
  assert.equal(blocked({ blockedDomains: ['y.test'] }), 'no');
  assert.equal(blocked({ blockedDomains: ['ub.b.test', 'test.b', '.test'] }), 'yes');
});

test('senders and threads are muted', () => {
  assert.ok(isMuted({ ...NO_PRIVACY, mutedSenders: ['eve@b.test'] }, from('none'), ''));
  assert.ok(isMuted({ ...NO_PRIVACY, mutedThreads: ['t1'] }, from('none'), 't1'));
  assert.ok(
    !isMuted({ ...NO_PRIVACY, mutedThreads: ['t1'], mutedSenders: ['a@b.test'] }, from('none'), 't2'),
  );
});

test('a delivery is refused, filed or kept quiet by the settings; one that is there already stays', () => {
  const { image, next } = transactions();
  const envelope = { mailFrom: 'eve@b.test', rcptTo: ['u1@x.test'] };
  deliver(next(), delivery('k1', { envelope }));
  const announced = image().lastDeliveryAt;
  next().add({ type: 'privacySet', ...NO_PRIVACY, mutedSenders: ['eve@b.test'] });
  deliver(next(), delivery('k2', { envelope }));
  assert.equal(image().lastDeliveryAt, announced);
  assert.equal(image().emails.size, 2);
  next().add({ type: 'privacySet', ...NO_PRIVACY, blockedDomains: ['b.test'] });
  assert.equal(deliver(next(), delivery('k3', { envelope })), 'forbidden');
  const again = deliver(next(), delivery('k2', { envelope }));
  assert.ok(typeof again === 'object' && again.duplicate);
  next().add({ type: 'privacySet', ...NO_PRIVACY, reach: 'friends' });
  deliver(next(), delivery('k4', { envelope, degree: 'unknown' }));
  const other = [...image().mailboxes.values()].find(({ name }) => name === 'Other');
  assert.equal(other?.totalEmails, 1);
});
