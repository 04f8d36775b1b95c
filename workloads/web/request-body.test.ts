import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isReadOnly } from './request-body.ts';

const request = (...names: unknown[]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ methodCalls: names.map((name, id) => [name, {}, String(id)]) }));

describe('a JMAP request that may be repeated', () => {
  it('reads and nothing else', () => {
    assert.ok(isReadOnly(request('Mailbox/get', 'Email/query', 'Email/changes', 'Core/echo')));
    assert.ok(!isReadOnly(request('Mailbox/get', 'Email/set')));
    assert.ok(!isReadOnly(request('Email/import')));
    assert.ok(!isReadOnly(request('Email/setget', 'x')));
    assert.ok(!isReadOnly(request(['Email/get'], null)));
  });

  it('is JSON of the right shape', () => {
    for (const text of ['', '{', 'null', '1', '[]', '{}', '{"methodCalls":{}}', '{"methodCalls":[1]}'])
      assert.ok(!isReadOnly(new TextEncoder().encode(text)), text);
  });
});
