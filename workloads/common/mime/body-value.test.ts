import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bodyValue, searchableText } from './body-value.ts';
import { parseMessage } from './parser.ts';
import { decodeTransfer, sizeCounter } from './transfer-encoding.ts';

function value(headers: string, body: Buffer | string, maxBytes = 0): ReturnType<typeof bodyValue> {
  const part = parseMessage(Buffer.from(`${headers}\r\n\r\n`)).structure;
  return bodyValue(part, Buffer.from(body), maxBytes);
}

test('a value is text in whatever charset and encoding, with LF for CRLF', () => {
  assert.deepEqual(
    value('Content-Type: text/plain; charset=windows-1251', Buffer.from([0xcf, 0xf0, 0x0d, 0x0a])),
    {
      value: 'Пр\n',
      isEncodingProblem: false,
      isTruncated: false,
    },
  );
  const japanese = 'Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: base64';
  assert.equal(value(japanese, 'GyRCJDMkcyRLJEEkTxsoQg==').value, 'こんにちは');
});

test('an unknown charset or encoding, and bytes that do not fit, are told of, and still are text', () => {
  assert.deepEqual(value('Content-Type: text/plain; charset=utf-8', Buffer.from([0x61, 0xff])), {
    value: 'a\ufffd',
    isEncodingProblem: true,
    isTruncated: false,
  });
  const charset = value('Content-Type: text/plain; charset=klingon', Buffer.from([0x61, 0xe9]));
  assert.deepEqual([charset.value, charset.isEncodingProblem], ['aé', true]);
  const encoding = value('Content-Transfer-Encoding: x-uuencode', 'as it is');
  assert.deepEqual([encoding.value, encoding.isEncodingProblem], ['as it is', true]);
});

test('a value is cut between characters, and never inside a tag', () => {
  const utf8 = 'Content-Type: text/plain; charset=utf-8';
  for (let max = 1; max <= 12; max++) {
    const cut = value(utf8, 'aé€😀b', max);
    assert.ok(Buffer.byteLength(cut.value) <= max && 'aé€😀b'.startsWith(cut.value), String(max));
    assert.equal(cut.isTruncated, max < Buffer.byteLength('aé€😀b'));
  }
  assert.equal(value('Content-Type: text/html; charset=utf-8', '<p>ab<br class="c">', 10).value, '<p>ab');
});

test('what searches see of HTML is its text', () => {
  const part = parseMessage(Buffer.from('Content-Type: text/html; charset=utf-8\r\n\r\n')).structure;
  const html =
    '<html><head><title>no</title><style>p{}</style></head><body>A&nbsp;&lt;b&gt;<script>x<1</script>' +
    '<!-- no --><p>İ c&#8364;&#x20AC;</p> 1 < 2</body></html>';
  assert.equal(searchableText(part, Buffer.from(html)), 'A <b> İ c€€ 1 < 2');
});

test('any bytes decode to as many as were counted, however they are cut', () => {
  const piece = fc.constantFrom(
    '=',
    '=\r\n',
    '=20',
    '=C3=A9',
    '= \t\r\n',
    ' ',
    '\t',
    '\r\n',
    '\r',
    '\n',
    'abc',
    'QUJD',
    'QQ==',
    '=4',
    '\xff',
  );
  const content = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1'));
  const encoding = fc.constantFrom('base64', 'quoted-printable', '7bit', '8bit', 'binary', 'x-other');
  fc.assert(
    fc.property(content, encoding, fc.integer({ min: 1, max: 7 }), (bytes, name, size) => {
      const counter = sizeCounter(name);
      for (let at = 0; at < bytes.length; at += size) counter.push(bytes.subarray(at, at + size));
      assert.equal(counter.end(), decodeTransfer(bytes, name).length);
    }),
    { numRuns: 2_000 },
  );
});

test('what was encoded by the book decodes to itself', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const base64 = Buffer.from(bytes).toString('base64').replace(/.{76}/g, '$&\r\n');
      assert.deepEqual(Buffer.from(decodeTransfer(Buffer.from(base64), 'base64')), Buffer.from(bytes));
      const escaped = Array.from(bytes, (byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`);
      const quoted = escaped.map((text, i) => (i % 20 === 19 ? `${text}=\r\n` : text)).join('');
      assert.deepEqual(
        Buffer.from(decodeTransfer(Buffer.from(quoted), 'quoted-printable')),
        Buffer.from(bytes),
      );
    }),
  );
});
