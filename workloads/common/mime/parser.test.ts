import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bodyValue } from './body-value.ts';
import type { Part } from './message.ts';
import { MessageParser, parseMessage } from './parser.ts';
import { decodeTransfer } from './transfer-encoding.ts';

function message(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'));
}

function bodyOf(bytes: Uint8Array, part: Part): string {
  return Buffer.from(bytes.subarray(part.bodyOffset, part.bodyOffset + part.bodyBytes)).toString('latin1');
}

const MIXED = message(
  'From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>',
  'To: "Alice, A." <alice@cellpost.test>, Team: bob@cellpost.test, carol@cellpost.test;',
  'Subject: =?iso-8859-1?Q?Gr=FC=DFe?= from',
  ' afar',
  'Date: Tue, 3 Mar 2026 09:05:07 +0100 (CET)',
  'Message-ID: <1@example.org>',
  'References: <a@x> <b@x>',
  'Content-Type: multipart/mixed; boundary="outer"',
  '',
  'preamble',
  '--outer',
  'Content-Type: multipart/alternative; boundary=inner',
  '',
  '--inner',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Hello=20=E2=82=AC=',
  ' world',
  '--inner',
  'Content-Type: text/html',
  '',
  '<p>Hello</p>',
  '--inner--',
  '--outer',
  "Content-Type: application/pdf; name*0*=utf-8''%C3%BC; name*1=ber.pdf",
  'Content-Disposition: attachment',
  'Content-Transfer-Encoding: base64',
  '',
  'aGVsbG8=',
  '--outer--',
  'epilogue',
  '',
);

test('a message with alternatives and an attachment comes apart with offsets, names and sizes', () => {
  const parsed = parseMessage(MIXED);
  const { structure } = parsed;
  assert.equal(structure.type, 'multipart/mixed');
  assert.equal(structure.partId, null);
  const [alternative, pdf] = structure.subParts;
  const [text, html] = alternative?.subParts ?? [];
  assert.ok(text && html && pdf);
  assert.deepEqual([text.partId, html.partId, pdf.partId], ['1.1', '1.2', '2']);
  assert.equal(bodyOf(MIXED, text), 'Hello=20=E2=82=AC=\r\n world');
  assert.equal(text.sizeBytes, Buffer.byteLength('Hello € world'));
  assert.equal(bodyOf(MIXED, html), '<p>Hello</p>');
  assert.equal(bodyOf(MIXED, pdf), 'aGVsbG8=');
  assert.equal(pdf.sizeBytes, 5);
  assert.equal(pdf.name, 'über.pdf');
  assert.equal(parsed.hasAttachment, true);
  assert.equal(parsed.preview, 'Hello € world');
  assert.equal(parsed.sizeBytes, MIXED.length);
  assert.deepEqual(bodyValue(text, Buffer.from(bodyOf(MIXED, text), 'latin1'), 0), {
    value: 'Hello € world',
    isEncodingProblem: false,
    isTruncated: false,
  });
});

test('headers are decoded: encoded words, groups, folds, dates with comments, ids', () => {
  const { headers } = parseMessage(MIXED);
  assert.deepEqual(headers.from, [{ name: 'Jörg', email: 'joerg@example.org' }]);
  assert.deepEqual(headers.to, [
    { name: 'Alice, A.', email: 'alice@cellpost.test' },
    { name: null, email: 'bob@cellpost.test' },
    { name: null, email: 'carol@cellpost.test' },
  ]);
  assert.equal(headers.subject, 'Grüße from afar');
  assert.equal(headers.sentAt, '2026-03-03T09:05:07+01:00');
  assert.deepEqual(headers.messageId, ['1@example.org']);
  assert.deepEqual(headers.references, ['a@x', 'b@x']);
  assert.equal(headers.cc, null);
});

test('raw 8-bit headers are read as UTF-8 if they are, else as windows-1252', () => {
  const utf8 = parseMessage(Buffer.from('Subject: Grüße\r\n\r\n'));
  assert.equal(utf8.headers.subject, 'Grüße');
  const latin = parseMessage(Buffer.from('Subject: Gr\xfc\xdfe\r\n\r\n', 'latin1'));
  assert.equal(latin.headers.subject, 'Grüße');
});

test('a message that is only text, or nothing at all, is one leaf', () => {
  const empty = parseMessage(new Uint8Array());
  assert.equal(empty.structure.partId, '1');
  assert.equal(empty.structure.type, 'text/plain');
  const text = parseMessage(Buffer.from('Subject: x\n\nline\n'));
  assert.equal(text.structure.bodyBytes, 5);
  assert.equal(text.structure.sizeBytes, 5);
  assert.equal(text.structure.lines, 1);
  assert.equal(text.hasAttachment, false);
});

test('a missing closing boundary, a boundary in headers and a multipart without boundary still parse', () => {
  const cut = parseMessage(
    message('Content-Type: multipart/mixed; boundary=b', '', '--b', 'X: y', '--b', '', 'rest'),
  );
  assert.equal(cut.structure.subParts.length, 2);
  assert.equal(cut.structure.subParts[0]?.bodyBytes, 0);
  assert.equal(cut.structure.subParts[1]?.bodyBytes, 4);
  const none = parseMessage(message('Content-Type: multipart/mixed', '', 'text'));
  assert.equal(none.structure.type, 'text/plain');
});

test('nesting beyond the bound is a leaf, and parts beyond the bound belong to the last one', () => {
  const deep = Array.from({ length: 80 }, (_, i) => [
    `--b${i - 1}`,
    `Content-Type: multipart/mixed; boundary=b${i}`,
    '',
  ]);
  const nested = parseMessage(message(...deep.flat().slice(1), 'x'));
  let depth = 0;
  for (let part: Part | undefined = nested.structure; part; part = part.subParts[0]) depth++;
  assert.ok(depth <= 51);
  const many = message(
    'Content-Type: multipart/mixed; boundary=b',
    '',
    ...Array.from({ length: 3_000 }, () => '--b\r\n'),
  );
  assert.ok(parseMessage(many).structure.subParts.length <= 1_000);
});

test('any bytes in any chunks parse to the same structure, with offsets in range and sizes that agree', () => {
  const line = fc.constantFrom(
    '--b',
    '--b--',
    '--c',
    '--c--',
    'Content-Type: multipart/mixed; boundary=b',
    'Content-Type: multipart/alternative; boundary="c"',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    'Content-Transfer-Encoding: quoted-printable',
    'Subject: =?utf-8?b?4oKs?=',
    '',
    '',
    'aGVsbG8=',
    'a=20b= ',
    '= \t',
    'x'.repeat(1_200),
    '\u00e4\u00f6',
    'no colon here',
    ' folded',
  );
  const ending = fc.constantFrom('\r\n', '\n', '\r', '\r\n', '');
  const noise = fc.oneof(
    { arbitrary: line, weight: 9 },
    { arbitrary: fc.string({ maxLength: 40 }), weight: 1 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(noise, ending), { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
      (lines, cuts) => {
        const bytes = Buffer.from(lines.map(([text, end]) => text + end).join(''), 'latin1');
        const whole = parseMessage(bytes);
        const parser = new MessageParser();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          parser.push(bytes.subarray(at, at + size));
          at += size;
        }
        assert.deepEqual(parser.end(), whole);
        check(bytes, whole.structure);
      },
    ),
    { numRuns: 500 },
  );
});

function check(bytes: Uint8Array, part: Part): void {
  assert.ok(part.headerOffset >= 0 && part.bodyOffset >= part.headerOffset);
  assert.ok(part.bodyOffset + part.bodyBytes <= bytes.length);
  if (part.partId !== null) {
    const body = bytes.subarray(part.bodyOffset, part.bodyOffset + part.bodyBytes);
    assert.equal(decodeTransfer(body, part.encoding).length, part.sizeBytes);
  }
  for (const child of part.subParts) check(bytes, child);
}
