import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitHeaders } from '../../common/mime/header-fields.ts';
import { headerValue, parseHeaderProperty } from './header-property.ts';

const fields = splitHeaders(
  Buffer.from('Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nX-A: 1\r\nX-A: 2\r\nReferences: <a@b> <c@d>\r\n\r\n'),
);
const value = (property: string): unknown => headerValue(fields, parseHeaderProperty(property));

test('a header comes in the form that is asked for, the last one or all', () => {
  assert.equal(value('header:subject'), ' =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=');
  assert.equal(value('header:Subject:asText'), 'Gr\u00fc\u00dfe');
  assert.equal(value('header:X-A:asText'), '2');
  assert.deepEqual(value('header:X-A:asText:all'), ['1', '2']);
  assert.deepEqual(value('header:x-a:all'), [' 1', ' 2']);
  assert.deepEqual(value('header:References:asMessageIds'), ['a@b', 'c@d']);
  assert.deepEqual([value('header:X-None'), value('header:X-None:all')], [null, []]);
});

test('a form that the field doesn’t have is refused', () => {
  for (const property of [
    'header:',
    'header::asText',
    'header:From:asText',
    'header:Subject:asDate',
    'header:Received:asText',
    'header:X:asX',
    'header:X:as',
    'header:X:toString',
    'header:X:all:asText',
    'header:A b',
    'header:\u00e4',
  ])
    assert.throws(() => parseHeaderProperty(property), { type: 'invalidArguments' }, property);
});
