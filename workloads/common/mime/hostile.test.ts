// What messages may hold that were made to do harm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { searchableText } from './body-value.ts';
import type { Part } from './message.ts';
import { MessageParser, parseMessage } from './parser.ts';
import { decodeTransfer } from './transfer-encoding.ts';

const HEADER_CHARS = 400_000;
/** Quadratic work on these would take minutes. The processor's time: others may be using it, too. */
const MAX_PROCESSOR_MS = 5_000;
/** An entry of the log holds twice that. */
const MAX_PARSED_BYTES = 512 * 1024;

function processorMs(): number {
  return process.cpuUsage().user / 1_000;
}

function repeat(text: string, chars = HEADER_CHARS): string {
  return text.repeat(Math.ceil(chars / text.length));
}

const HEADERS: Record<string, string> = {
  'open brackets': `From: ${repeat('[')}`,
  'open comments': `From: ${repeat('(')}`,
  'quotation marks': `To: ${repeat('"')}`,
  'angle brackets': `To: ${repeat('<')}`,
  'empty groups': `To: ${repeat('a:;')}`,
  routes: `To: <${repeat('@a:')}`,
  'at signs': `Message-ID: ${repeat('@')} x`,
  'ids that do not end': `References: ${repeat('<a')}`,
  'encoded words': `Subject: ${repeat('=?utf-8?q?a?= ')}`,
  'broken encoded words': `Subject: ${repeat('=?a*')}`,
  'comments in an encoding': `Content-Transfer-Encoding: ${repeat('(')}`,
  'blanks in a boundary': `Content-Type: multipart/mixed; boundary="${repeat(' ')}x"`,
  parameters: `Content-Type: text/plain${repeat(';a=b')}`,
  'sections of a parameter': `Content-Type: text/plain${repeat(';a*1*=%20')}`,
  'slashes in a file name': `Content-Disposition: attachment; filename="${repeat('/')}"`,
  languages: `Content-Language: ${repeat('a,')}`,
  'blanks in a date': `Date: ${repeat(' ')}`,
  'tiny fields': `${repeat('a:\r\n')}a:`,
  folds: `Subject: x${repeat('\r\n a')}`,
};

for (const [name, header] of Object.entries(HEADERS)) {
  test(`a header of ${name} costs little time and little space`, () => {
    const startedMs = processorMs();
    const message = parseMessage(Buffer.from(`${header}\r\n\r\nbody`));
    assert.ok(processorMs() - startedMs < MAX_PROCESSOR_MS);
    assert.ok(Buffer.byteLength(JSON.stringify(message)) < MAX_PARSED_BYTES);
    assert.equal(message.structure.bodyBytes, 4);
  });
}

const BODY_CHARS = 4_000_000;
const MULTIPART = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n';
const NESTED = Array.from(
  { length: 60 },
  (_, i) => `${i > 0 ? `--b${i - 1}\r\n` : ''}Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n`,
).join('');

const BODIES: Record<string, string> = {
  'lines of nothing': `\r\n${repeat('\r\n', BODY_CHARS)}`,
  'lines that begin as boundaries do': MULTIPART + repeat('--\r\n', BODY_CHARS),
  'blanks after hyphens': MULTIPART + repeat(`--${' '.repeat(980)}x\r\n`, BODY_CHARS),
  boundaries: MULTIPART + repeat('--b\r\n', BODY_CHARS),
  'hyphens in a deep nest': NESTED + repeat('--\r\n', BODY_CHARS),
  'parts with long names':
    MULTIPART + repeat(`--b\r\nContent-Type: a/b; name="${'é'.repeat(5_000)}"\r\n\r\n`, BODY_CHARS),
  escapes: `Content-Transfer-Encoding: quoted-printable\r\n\r\n${repeat('=20', BODY_CHARS)}`,
  'one line': `\r\n${repeat('x', BODY_CHARS)}`,
};

for (const [name, text] of Object.entries(BODIES)) {
  test(`a body of ${name} costs little time and little space`, () => {
    const bytes = Buffer.from(text);
    const startedMs = processorMs();
    const parser = new MessageParser();
    for (let at = 0; at < bytes.length; at += 65_536) parser.push(bytes.subarray(at, at + 65_536));
    const message = parser.end();
    assert.ok(processorMs() - startedMs < MAX_PROCESSOR_MS);
    assert.ok(Buffer.byteLength(JSON.stringify(message)) < MAX_PARSED_BYTES);
    check(bytes, message.structure);
  });
}

test('HTML that opens everything and closes nothing becomes text in little time', () => {
  const part = parseMessage(Buffer.from('Content-Type: text/html\r\n\r\n')).structure;
  for (const html of ['<', '<style>', '<!--', '<a ', '&#', '</', '<script><!--']) {
    const startedMs = processorMs();
    searchableText(part, Buffer.from(repeat(html, BODY_CHARS)));
    assert.ok(processorMs() - startedMs < MAX_PROCESSOR_MS, html);
  }
});

const SAMPLE = [
  'Received: from a by b; Tue, 3 Mar 2026 09:05:07 +0100',
  'From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>',
  'To: Team: a@x.test, "B, C" <b@x.test>;',
  'Subject: =?utf-8?b?4oKs?= =?utf-8?b?4oKs?=',
  'Date: Tue, 3 Mar 2026 09:05:07 +0100 (CET)',
  'Content-Type: multipart/mixed; boundary="=_outer"',
  '',
  '--=_outer',
  'Content-Type: multipart/alternative; boundary=inner',
  '',
  '--inner',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=C3=BC=C3=9Fe =',
  'soft',
  '--inner',
  'Content-Type: text/html; charset=iso-8859-1',
  '',
  '<p>x</p>',
  '--inner--',
  '--=_outer',
  "Content-Disposition: attachment; filename*0*=utf-8''%E2%82%AC; filename*1=.bin",
  'Content-Transfer-Encoding: base64',
  '',
  'AAECAwQFBgcICQ==',
  '--=_outer--',
  '',
].join('\r\n');

test('a real message, changed at random, always parses: alike in any chunks, with offsets in range', () => {
  const change = fc.record({
    at: fc.nat(SAMPLE.length),
    remove: fc.nat(12),
    insert: fc.oneof(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '--inner',
        '--=_outer--',
        '=',
        '"',
        '(',
        '\0',
        '\xff',
        ' ',
        ':',
        '',
      ),
      fc.string({ maxLength: 8 }),
    ),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(changes, fc.integer({ min: 1, max: 80 }), (list, size) => {
      let text = SAMPLE;
      for (const { at, remove, insert } of list) text = text.slice(0, at) + insert + text.slice(at + remove);
      const bytes = Buffer.from(text, 'latin1');
      const whole = parseMessage(bytes);
      const parser = new MessageParser();
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
      assert.deepEqual(parser.end(), whole);
      assert.deepEqual(JSON.parse(JSON.stringify(whole)), whole);
      assert.ok(whole.preview.length <= 256);
      check(bytes, whole.structure);
    }),
    { numRuns: 400 },
  );
});

function check(bytes: Uint8Array, part: Part): void {
  assert.ok(part.headerOffset >= 0 && part.bodyOffset === part.headerOffset + part.headerBytes);
  assert.ok(part.bodyBytes >= 0 && part.bodyOffset + part.bodyBytes <= bytes.length);
  if (part.partId !== null) {
    const body = bytes.subarray(part.bodyOffset, part.bodyOffset + part.bodyBytes);
    assert.equal(decodeTransfer(body, part.encoding).length, part.sizeBytes);
  }
  for (const child of part.subParts) {
    assert.ok(child.headerOffset >= part.bodyOffset);
    assert.ok(child.bodyOffset + child.bodyBytes <= part.bodyOffset + part.bodyBytes);
    check(bytes, child);
  }
}
