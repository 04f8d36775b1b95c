import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consoleKey } from '../common/http/console-key.ts';
import { accessOf } from './access.ts';

const TOKEN = 'the token of the platform';
const access = accessOf(TOKEN);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('the token opens everything, the key all but the users', () => {
  const key = consoleKey(TOKEN);
  assert.notEqual(key, consoleKey('another token'));
  for (const [header, opened] of [
    [`Bearer ${key}`, 'without-users'],
    [basic(`admin:${key}`), 'without-users'],
    [basic(`:${TOKEN}`), 'all'],
    [basic(`a:b${TOKEN}`), undefined],
    [`bearer ${key} `, 'without-users'],
    [`Bearer ${key}x`, undefined],
    ['Bearer ', undefined],
    ['Basic', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const)
    assert.equal(access(header), opened, header);
  const plain = accessOf('without-spaces-in-it');
  assert.equal(plain('Bearer without-spaces-in-it'), 'all');
});
