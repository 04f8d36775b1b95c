import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword, PasswordVerifier } from './credentials.ts';

test('a password is right for the hash that was made of it, and for no other', async () => {
  const credentials = await hashPassword('open sesame');
  const verifier = new PasswordVerifier();
  assert.deepEqual(await verifier.verify('u1', credentials, 'open sesame'), { ok: true });
  assert.deepEqual(await verifier.verify('u1', credentials, 'open sesam'), { ok: false });
  assert.deepEqual(await verifier.verify('u1', undefined, 'open sesame'), { ok: false });
  assert.deepEqual(await verifier.verify('u1', await hashPassword('other'), 'open sesame'), { ok: false });
  assert.deepEqual(await verifier.verify('u1', credentials, 'x'.repeat(100_000)), { ok: false });
});

test('the same password is hashed differently each time, whatever its Unicode form', async () => {
  const [a, b] = await Promise.all([hashPassword('\u00e9'), hashPassword('\u00e9')]);
  assert.notDeepEqual(a.hash, b.hash);
  assert.deepEqual(await new PasswordVerifier().verify('u1', a, 'e\u0301'), { ok: true });
});

test('after ten wrong passwords a user waits, others do not, and time makes it good again', async () => {
  let nowMs = 1_000_000;
  const verifier = new PasswordVerifier(() => nowMs);
  const credentials = await hashPassword('right');
  for (let n = 0; n < 10; n++)
    assert.deepEqual(await verifier.verify('u1', credentials, `w${n}`), { ok: false });
  assert.deepEqual(await verifier.verify('u1', credentials, 'right'), { ok: false, retryAfterMs: 6_000 });
  assert.deepEqual(await verifier.verify('u2', credentials, 'right'), { ok: true });
  nowMs += 6_000;
  assert.deepEqual(await verifier.verify('u1', credentials, 'right'), { ok: true });
  assert.deepEqual(await verifier.verify('u1', credentials, 'wrong'), { ok: false });
});

test('many wrong passwords at once don’t pass the limit together', async () => {
  const verifier = new PasswordVerifier();
  const credentials = await hashPassword('right');
  const verdicts = await Promise.all(
    Array.from({ length: 15 }, (_, n) => verifier.verify('u1', credentials, `w${n}`)),
  );
  assert.equal(verdicts.filter((verdict) => 'retryAfterMs' in verdict).length, 5);
});
