import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import { message } from '../image/testing.ts';
import { isProofMissing, provenSender } from './sender.ts';

const NOTHING: Authentication = {
  spf: 'none',
  dkim: 'none',
  dmarc: 'none',
  arc: 'none',
  dkimDomains: [],
  dmarcPolicy: '',
  fromDomain: 'b.test',
};

function evidence(authentication: Partial<Authentication> | undefined, from = ['Bob@B.test']) {
  return {
    message: message({ from: from.map((email) => ({ name: null, email })) }),
    envelope: { mailFrom: 'bounces@b.test', rcptTo: [] },
    authentication: authentication && { ...NOTHING, ...authentication },
  };
}

test('a sender is proven by DMARC, or by the very domain of the address', () => {
  for (const proof of [
    { dmarc: 'pass' },
    { dkim: 'pass', dkimDomains: ['mailer.test', 'b.test'] },
    { spf: 'pass' },
  ])
    assert.equal(provenSender(evidence(proof)), 'Bob@B.test', JSON.stringify(proof));
});

test('a sender is not proven by others, against DMARC, or by nothing', () => {
  for (const proof of [
    {},
    { dkim: 'pass', dkimDomains: ['mailer.test', 'sub.b.test', 'test'] },
    { spf: 'softfail' },
    { spf: 'pass', dmarc: 'fail' },
    { dmarc: 'pass', fromDomain: 'another.test' },
    { dmarc: 'pass', fromDomain: '' },
  ])
    assert.equal(provenSender(evidence(proof)), undefined, JSON.stringify(proof));
  const foreign = evidence({ spf: 'pass' });
  foreign.envelope.mailFrom = 'eve@evil.test';
  assert.equal(provenSender(foreign), undefined);
});

test('what was not checked is taken at its word; a message of several, or of nobody, is from nobody', () => {
  assert.equal(provenSender(evidence(undefined)), 'Bob@B.test');
  assert.equal(provenSender(evidence(undefined, [])), 'bounces@b.test');
  assert.equal(provenSender(evidence(undefined, ['a@b.test', 'c@b.test'])), undefined);
  assert.equal(provenSender(evidence(undefined, [''])), undefined);
});

test('a proof is missing where name servers were silent', () => {
  assert.ok(isProofMissing(evidence({ spf: 'temperror' })));
  assert.ok(!isProofMissing(evidence({ spf: 'temperror', dmarc: 'fail' })));
  assert.ok(!isProofMissing(evidence({})));
  assert.ok(!isProofMissing(evidence(undefined)));
});
