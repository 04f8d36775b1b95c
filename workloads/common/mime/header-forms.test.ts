import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeText,
  parseAddresses,
  parseDate,
  parseGroupedAddresses,
  parseMessageIds,
  parseUrls,
  rawForm,
} from './header-forms.ts';

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

const TEXTS: [raw: string, decoded: string][] = [
  [' plain', 'plain'],
  [' folded\r\n  text', 'folded  text'],
  [' =?us-ascii?Q?Keith_Moore?=', 'Keith Moore'],
  [' =?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'],
  [' =?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=', 'ab'],
  [' =?ISO-8859-1?Q?a_b?= c', 'a b c'],
  [' =?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=', 'a b'],
  [' =?utf-8?B?4oI=?= =?utf-8?B?rA==?=', '€'],
  [' =?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=', 'こんにちは'],
  [' =?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=', 'Привет'],
  [' =?gb2312?B?xOO6ww==?=', '你好'],
  [' =?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=', 'Grüße'],
  [' =?utf-8?Q?broken', '=?utf-8?Q?broken'],
  [' =?utf-8?X?what?=', '=?utf-8?X?what?='],
  [' =?nonsense?Q?caf=E9?=', 'café'],
  [' before=?utf-8?Q?x?=after', 'beforexafter'],
  [' =?utf-8?Q?a=0D=0ABcc:_x?=', 'a Bcc: x'],
];

for (const [raw, decoded] of TEXTS) {
  test(`the text of ${JSON.stringify(raw)} is ${JSON.stringify(decoded)}`, () => {
    assert.equal(decodeText(bytes(raw)), decoded);
  });
}

const ADDRESSES: [raw: string, expected: [name: string | null, email: string][]][] = [
  [' Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>', [['Pete', 'pete@silly.test']]],
  [' john.doe@example.org (John Doe)', [['John Doe', 'john.doe@example.org']]],
  [' "Joe Q. Public" <john.q.public@example.com>', [['Joe Q. Public', 'john.q.public@example.com']]],
  [
    ' Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>',
    [
      ['Mary Smith', 'mary@x.test'],
      [null, 'jdoe@example.org'],
      ['Who?', 'one@y.test'],
    ],
  ],
  [' "Giant; \\"Big\\" Box" <sysservices@example.net>', [['Giant; "Big" Box', 'sysservices@example.net']]],
  [' Undisclosed recipients:;', []],
  [' <@node.test,@b.test:john@x.test>', [[null, 'john@x.test']]],
  [' John . Q . Public <a . b@x.test>', [['John . Q . Public', 'a.b@x.test']]],
  [' "quoted local"@x.test', [[null, '"quoted local"@x.test']]],
  [' user@[IPv6:::1]', [[null, 'user@[IPv6:::1]']]],
  [' =?utf-8?Q?J=C3=B6rg?= M <j@x.test>', [['Jörg M', 'j@x.test']]],
  [' Jörg <jörg@bücher.test>', [['Jörg', 'jörg@bücher.test']]],
  [
    ' a@x.test;b@x.test',
    [
      [null, 'a@x.test'],
      [null, 'b@x.test'],
    ],
  ],
  [' <>', []],
  [' ,,, a@x.test ,,', [[null, 'a@x.test']]],
  [' "unterminated <a@x.test>', [[null, '"unterminated <a@x.test>"']]],
];

for (const [raw, expected] of ADDRESSES) {
  test(`the addresses of ${JSON.stringify(raw)} are read`, () => {
    assert.deepEqual(
      parseAddresses(bytes(raw)).map(({ name, email }) => [name, email]),
      expected,
    );
  });
}

test('groups keep their names, and what stands outside of them has none', () => {
  const raw = ' a@x.test, Team: Bob <b@x.test>, c@x.test;, "Empty one":;, d@x.test';
  assert.deepEqual(parseGroupedAddresses(bytes(raw)), [
    { name: null, addresses: [{ name: null, email: 'a@x.test' }] },
    {
      name: 'Team',
      addresses: [
        { name: 'Bob', email: 'b@x.test' },
        { name: null, email: 'c@x.test' },
      ],
    },
    { name: 'Empty one', addresses: [] },
    { name: null, addresses: [{ name: null, email: 'd@x.test' }] },
  ]);
});

const DATES: [raw: string, expected: string | null][] = [
  [' Fri, 21 Nov 1997 09:55:06 -0600', '1997-11-21T09:55:06-06:00'],
  [' 21 Nov 97 09:55:06 GMT', '1997-11-21T09:55:06+00:00'],
  [' Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', '1997-11-21T09:55:06-06:00'],
  [
    ' Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)',
    '1969-02-13T23:32:00-03:30',
  ],
  [' Wed, 1 Jul 2015 00:00:60 EST', '2015-07-01T00:00:59-05:00'],
  [' 1 Jan 2026 00:00:00 K', '2026-01-01T00:00:00+00:00'],
  [' 29 Feb 2024 12:00:00 +0000', '2024-02-29T12:00:00+00:00'],
  [' 29 Feb 2023 12:00:00 +0000', null],
  [' 1 Foo 2023 12:00:00 +0000', null],
  [' 1 Jan 2023 25:00:00 +0000', null],
  [' 1 Jan 2023 12:00:00 +9999', null],
  [' 2023-01-01T00:00:00Z', null],
  ['', null],
];

for (const [raw, expected] of DATES) {
  test(`the date ${JSON.stringify(raw)} is ${expected ?? 'none'}`, () => {
    assert.equal(parseDate(bytes(raw)), expected);
  });
}

test('ids come without brackets, comments and folds; without any there is none', () => {
  assert.deepEqual(parseMessageIds(bytes(' <a@x>\r\n <b@y> (said <c@z>) <d @ w>')), ['a@x', 'b@y', 'd@w']);
  assert.deepEqual(parseMessageIds(bytes(' bare@x')), ['bare@x']);
  assert.equal(parseMessageIds(bytes(' in reply to your message of yesterday')), null);
});

test('list headers give their addresses', () => {
  const raw = ' <ftp://x.test/l.txt> (FTP), <mailto:l@x.test?subject=\r\n help>';
  assert.deepEqual(parseUrls(bytes(raw)), ['ftp://x.test/l.txt', 'mailto:l@x.test?subject=help']);
  assert.equal(parseUrls(bytes(' NO (not here)')), null);
});

test('no header makes any form throw, whatever its bytes', () => {
  const raw = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .array(
        fc.constantFrom(
          '=?utf-8?q?',
          '?=',
          '<',
          '>',
          '(',
          ')',
          '"',
          '\\',
          ':',
          ';',
          ',',
          '@',
          '[',
          ']',
          ' ',
          '\r\n ',
          'a',
          '\0',
          'ü',
        ),
        { maxLength: 60 },
      )
      .map((parts) => Buffer.from(parts.join(''))),
  );
  fc.assert(
    fc.property(raw, (value) => {
      for (const form of [
        rawForm,
        decodeText,
        parseAddresses,
        parseGroupedAddresses,
        parseMessageIds,
        parseDate,
        parseUrls,
      ]) {
        const result = form(value);
        assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
      }
      for (const { email } of parseAddresses(value)) assert.doesNotMatch(email, /[\r\n]/);
    }),
    { numRuns: 2_000 },
  );
});
