import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import { enforced, type Enforcement } from './enforcement.ts';
import { trustedNetworks } from './networks.ts';

const found = (dmarc: string, dmarcPolicy: string): Authentication => ({
  spf: 'fail',
  dkim: 'fail',
  dmarc,
  arc: 'none',
  dkimDomains: [],
  dmarcPolicy,
  fromDomain: 'x.test',
});

test('only what DMARC condemns has consequences, and those that are set', () => {
  const table: [dmarc: string, policy: string, enforce: Enforcement, expected: string][] = [
    ['fail', 'reject', 'reject', 'reject'],
    ['fail', 'reject', 'junk', 'junk'],
    ['fail', 'reject', 'none', 'accept'],
    ['fail', 'quarantine', 'reject', 'junk'],
    ['fail', 'quarantine', 'none', 'accept'],
    ['fail', 'none', 'reject', 'accept'],
    ['temperror', 'reject', 'reject', 'accept'],
    ['pass', 'reject', 'reject', 'accept'],
    ['none', '', 'reject', 'accept'],
  ];
  for (const [dmarc, policy, enforce, expected] of table)
    assert.equal(enforced(found(dmarc, policy), enforce), expected, `${dmarc} ${policy} ${enforce}`);
});

test('networks are told by their addresses, of both families', () => {
  const isTrusted = trustedNetworks('127.0.0.0/8, ::1,2001:db8::/32');
  for (const address of ['127.0.0.1', '::ffff:127.9.9.9', '::1', '2001:db8:1::5'])
    assert.ok(isTrusted(address), address);
  for (const address of ['128.0.0.1', '::2', '2001:db9::1', 'nothing'])
    assert.ok(!isTrusted(address), address);
  assert.ok(!trustedNetworks('none')('127.0.0.1'));
  for (const bad of ['10.0.0.0/33', 'x', '10.0.0.1/8/8', '::1/129'])
    assert.throws(() => trustedNetworks(bad), { name: 'ConfigError' });
});
