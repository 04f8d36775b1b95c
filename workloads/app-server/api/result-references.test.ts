import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, resolveReferences, type MethodResponse } from './result-references.ts';

const value = {
  list: [
    { id: 'a', tags: ['x', 'y'] },
    { id: 'b', tags: [] },
  ],
  'a/b': { '~': 1 },
  none: null,
};

test('pointers find what RFC 6901 says, and stars flatten by one level', () => {
  assert.equal(evaluate(value, ''), value);
  assert.equal(evaluate(value, '/list/0/id'), 'a');
  assert.deepEqual(evaluate(value, '/list/*/id'), ['a', 'b']);
  assert.deepEqual(evaluate(value, '/list/*/tags'), ['x', 'y']);
  assert.deepEqual(evaluate(value, '/list/*/tags/*'), ['x', 'y']);
  assert.equal(evaluate(value, '/a~1b/~0'), 1);
  assert.equal(evaluate(value, '/none'), null);
});

test('what is not there is undefined, inherited properties too', () => {
  for (const path of [
    '/x',
    '/list/2',
    '/list/-',
    '/list/01',
    '/list/length',
    '/toString',
    '/__proto__',
    '/none/x',
    'list',
    '/list/*/x',
  ])
    assert.equal(evaluate(value, path), undefined, path);
});

test('arguments take the values that their references name', () => {
  const responses: MethodResponse[] = [['Email/query', { ids: ['e1-0'] }, 'q']];
  const args = { accountId: 'u', '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' } };
  assert.deepEqual(resolveReferences(args, responses), { accountId: 'u', ids: ['e1-0'] });
  assert.throws(() => resolveReferences({ ...args, ids: [] }, responses), { type: 'invalidArguments' });
  assert.throws(() => resolveReferences(args, []), { type: 'invalidResultReference' });
});
