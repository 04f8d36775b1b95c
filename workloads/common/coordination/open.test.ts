import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../config/env.ts';
import { openCoordination } from './open.ts';

const options = { timeoutMs: 1_000, deadlineMs: 100 };

test('what is no coordination URL is refused with a sentence that shows one', async () => {
  for (const url of [
    '',
    'http://a',
    'zookeeper:host',
    'zookeeper://',
    'local:relative',
    'zookeeper://h:1/a//b',
  ])
    await assert.rejects(openCoordination(url, options), ConfigError);
  await assert.rejects(openCoordination('x', options), /zookeeper:\/\/host:2181,host:2181\/chroot/);
});

test('a session timeout out of bounds is refused', async () => {
  await assert.rejects(openCoordination('local:/nowhere', { timeoutMs: 1 }), /250 to 60000 ms/);
});

test('opening gives up after its deadline, or when it is told to', async () => {
  await assert.rejects(openCoordination('local:/nowhere/at/all', options), { code: 'timeout' });
  const given = AbortSignal.abort();
  await assert.rejects(openCoordination('local:/nowhere', { timeoutMs: 1_000, signal: given }), {
    code: 'closed',
  });
});
